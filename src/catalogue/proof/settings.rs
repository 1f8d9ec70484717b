//! Evidence about settings, protection, identity and the day's transfers, in words.

/// What was asked, in Chinese and English; `None` when there are no words for it here.
pub(super) fn question(kind: &str) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        "hostname.enrolled" => ("登记的电脑名字", "registered name of this PC"),
        "hostname.now" => ("现在的电脑名字", "name of this PC now"),
        "hosts.enrolled" => ("对照表里登记的", "in the table at enrolment"),
        "hosts.now" => ("对照表里现在的", "in the table now"),
        "file.enrolled" => ("登记时的文件（指纹）", "file at enrolment (digest)"),
        "file.now" => ("现在的文件（指纹）", "file now (digest)"),
        "time.daemon" => ("对时程序", "time program"),
        "resolver.enrolled" => ("登记的域名服务器", "registered name servers"),
        "resolver.now" => ("现在的域名服务器", "name servers now"),
        "address.prefix" => ("登记时没有的网段", "network not there at enrolment, on"),
        "mac.enrolled" => ("登记的网卡硬件地址", "registered hardware address of"),
        "mac.now" => ("现在的硬件地址", "hardware address now of"),
        "mac.set" => ("改设成的硬件地址", "hardware address set on"),
        "firewall.enrolled" => ("登记时的防火墙规则", "firewall rules at enrolment"),
        "firewall.now" => ("现在的防火墙规则", "firewall rules now"),
        "antivirus.program" => ("杀毒程序", "antivirus program"),
        "software.running" => ("清单上的程序", "program on the list"),
        "software.installed" => ("清单上的软件", "software on the list"),
        "identity.enrolled" => ("登记的终端编号", "registered terminal id"),
        "identity.now" => ("现在的终端编号", "terminal id now"),
        "link.gone" => ("登记的网口", "registered network port"),
        "link.instead" => ("现在用的网口", "network port in its place"),
        "speed.before" => ("原来的网速", "speed before, of"),
        "speed.now" => ("现在的网速", "speed now, of"),
        "upload.marker" => ("上传标记的日期", "date of the upload's mark"),
        "download.marker" => ("下载标记的日期", "date of the download's mark"),
        "upload.due" => ("该完成的时间", "due"),
        _ => return None,
    })
}

//! Evidence about what is plugged in.

use super::Lang;

/// What was looked at.
pub(super) fn question(kind: &str, lang: Lang) -> Option<&'static str> {
    let (zh, en) = match kind {
        "usb.device" => ("插着的设备", "device"),
        "usb.disk" => ("存储容量", "size of"),
        "usb.mount" => ("打开在", "opened at"),
        "usb.hidden" => ("在别处看不到的环境里打开在", "opened out of sight at"),
        "usb.bytes" => ("读写量", "read and written on"),
        "usb.past-files" => ("不经过文件读取", "read past the files of"),
        "usb.interface" => ("接口类别", "interface class"),
        "usb.net" => ("多出的网口", "network port made of it"),
        _ => return None,
    };
    Some(lang.pick(zh, en))
}

/// What it showed.
pub(super) fn result(result: &str, lang: Lang) -> Option<String> {
    device(result, lang).or_else(|| bytes(result, lang)).or_else(|| mount(result, lang)).or_else(|| driver(result, lang))
}

/// `serial 60A4, port 1-1.2`, `no serial, port 1-1`.
fn device(result: &str, lang: Lang) -> Option<String> {
    let (serial, port) = result.rsplit_once(", port ")?;
    Some(match serial.strip_prefix("serial ") {
        Some(serial) => lang.pick(format!("序列号 {serial}，插在 {port}"), format!("serial {serial}, port {port}")),
        None if serial == "no serial" => lang.pick(format!("没有序列号，插在 {port}"), format!("no serial, port {port}")),
        None => return None,
    })
}

/// `read 10 B, written 0 B`, `15728640000 B`.
fn bytes(result: &str, lang: Lang) -> Option<String> {
    let count = |text: &str| text.strip_suffix(" B")?.parse::<u64>().ok();
    if let Some((read, written)) = result.strip_prefix("read ").and_then(|rest| rest.split_once(", written ")) {
        let (read, written) = (count(read)?, count(written)?);
        return Some(lang.pick(format!("读出 {read} 字节，写入 {written} 字节"), format!("{read} bytes read, {written} written")));
    }
    let bytes = count(result)?;
    Some(lang.pick(format!("{bytes} 字节"), format!("{bytes} bytes")))
}

/// `vfat, read-write`, `ext4, read-only, through dm-0`, `vfat, read-write, process 812 backup`.
fn mount(result: &str, lang: Lang) -> Option<String> {
    let mut parts = result.split(", ");
    let (kind, access) = (parts.next()?, parts.next()?);
    let access = match access {
        "read-write" => lang.pick("可读可写", "read and write"),
        "read-only" => lang.pick("只读", "read only"),
        _ => return None,
    };
    let rest = parts.filter_map(|part| {
        if let Some(by) = part.strip_prefix("through ") {
            return Some(lang.pick(format!("，经过 {by}"), format!(", by way of {by}")));
        }
        let process = part.strip_prefix("process ")?;
        Some(lang.pick(format!("，进程 {process}"), format!(", process {process}")))
    });
    Some(rest.fold(format!("{kind}{}{access}", lang.pick("，", ", ")), |text, part| text + &part))
}

fn driver(result: &str, lang: Lang) -> Option<String> {
    match result {
        "no driver" => Some(lang.pick("没有驱动", "no driver").to_owned()),
        "driver usbfs" => Some(lang.pick("由某个程序直接使用", "used by a program directly").to_owned()),
        "no address" => Some(lang.pick("没有地址", "no address").to_owned()),
        _ => result.strip_prefix("driver ").map(|driver| lang.pick(format!("驱动 {driver}"), format!("driver {driver}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_of_a_stick_reads_well_in_both_languages() {
        let said = |text| (result(text, Lang::ZhCn).expect("words"), result(text, Lang::En).expect("words"));
        let both = |zh: &str, en: &str| (zh.to_owned(), en.to_owned());
        assert_eq!(said("serial 60A4, port 1-1.2"), both("序列号 60A4，插在 1-1.2", "serial 60A4, port 1-1.2"));
        assert_eq!(said("no serial, port 1-1"), both("没有序列号，插在 1-1", "no serial, port 1-1"));
        assert_eq!(said("read 10 B, written 0 B"), both("读出 10 字节，写入 0 字节", "10 bytes read, 0 written"));
        assert_eq!(said("15728640 B"), both("15728640 字节", "15728640 bytes"));
        assert_eq!(said("ext4, read-only, through dm-0"), both("ext4，只读，经过 dm-0", "ext4, read only, by way of dm-0"));
        assert_eq!(said("vfat, read-write, process 812 sh"), both("vfat，可读可写，进程 812 sh", "vfat, read and write, process 812 sh"));
        assert_eq!(said("driver cdc_ether"), both("驱动 cdc_ether", "driver cdc_ether"));
        assert_eq!(result("sent 10 B, received 0 B", Lang::En), None);
    }
}

//! The page on top: what is in the bundle, and that it is to be looked at before it is sent.

use super::Missing;
use crate::catalogue::Lang;

/// The page.
pub fn readme(lang: Lang, files: &[&str], missing: &[Missing]) -> String {
    let mut lines: Vec<String> = lang
        .pick(
            "isonet 支持包

发送之前请先打开看一遍。密码、密钥、令牌、网址里的用户名已经遮盖为 (masked)，
但这里仍有：机构和联系人的名称电话、本机的网卡地址、IP 地址、路由、故障记录。
不希望对方看到的文件，解压后删去再打包即可。没有任何内容被自动发送。

里面有：",
            "isonet support bundle

Look through it before you send it. Passwords, keys, tokens and users in addresses
were replaced by (masked); still in it are names and telephone numbers of the
institution and of contacts, addresses of this PC's cards, IP addresses, routes, and the
records of outages. Whatever is nobody's business: unpack, delete, pack again.
Nothing was sent anywhere.

In it:",
        )
        .lines()
        .map(str::to_owned)
        .collect();
    lines.extend(files.iter().map(|file| format!("  {file}  {}", about(file, lang))));
    lines.push(format!("  manifest.json  {}", lang.pick("各文件的大小和 SHA-256", "size and SHA-256 of each file")));
    if !missing.is_empty() {
        lines.push(String::new());
        lines.push(
            lang.pick(
                "缺少的（及原因；> N B 表示只放了最后这么多）：",
                "What is missing, and why (> N B: only so much of its end is in it):",
            )
            .to_owned(),
        );
        lines.extend(missing.iter().map(|missing| format!("  {}: {}", missing.what, missing.because)));
    }
    lines.iter().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn about(file: &str, lang: Lang) -> &'static str {
    let (zh, en) = match file {
        "policy.json" => ("生效的配置", "the configuration in force"),
        "check-config.txt" => ("配置检查结果", "what check-config says"),
        "status.json" => ("值守程序看到的情况", "what the service sees"),
        "records.jsonl" => {
            ("最近的记录（遮盖过的行不再能自证）", "the latest records (a line in which something was masked no longer proves itself)")
        }
        "verify-log.txt" => ("记录是否完整", "whether the records are whole"),
        "diagnosis.json" => ("刚做的一次检查", "a look at everything, made just now"),
        "baseline.json" => ("登记时的正常状态", "what was normal at enrolment"),
        "environment.json" => ("系统版本、网卡、地址、路由", "versions of the system, cards, addresses, routes"),
        "service.log" => ("值守程序的日志", "the service's log"),
        "service.txt" => ("systemd 所见的服务状态", "the service as systemd sees it"),
        _ if file.starts_with("config/") => {
            ("配置文件（只含认得的配置项，不含注释）", "a file of the configuration (known keys only, without comments)")
        }
        _ if file.starts_with("unit/") => ("systemd 单元", "the systemd unit"),
        _ => ("", ""),
    };
    lang.pick(zh, en)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_in_both_languages_what_is_in_it_and_what_is_not() {
        let missing = [Missing { what: "status.json".to_owned(), because: "nobody answers".to_owned() }];
        for (lang, word) in [(Lang::ZhCn, "发送之前"), (Lang::En, "before you send it")] {
            let page = readme(lang, &["diagnosis.json", "config/1-isonet.toml", "unit/isonet.service"], &missing);
            assert!(page.contains(word) && page.contains("nobody answers") && !page.contains(" \n"), "{page}");
        }
    }
}

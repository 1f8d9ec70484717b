//! The explanations that `journalctl -x` shows under an entry, made from the texts of the [`catalogue`](crate::catalogue). Pure.
//!
//! `systemd/isonet.catalog` and `systemd/isonet.zh_CN.catalog` ship what [`catalog`] makes; a test holds the two equal.

use crate::catalogue::{Lang, Text, actor, came_from, finding, text};
use crate::model::{Actor, AgentEvent, Cause, FindingCode, Origin};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use unicode_width::UnicodeWidthChar;

/// Columns of a line: `journalctl` puts three in front, and cuts what does not fit the screen.
const WIDTH: usize = 76;

/// Makes the ids ours.
const TAG: &str = "isonet message id, first form\n";

/// The `MESSAGE_ID` of a code, 32 hexadecimal digits: the first 128 bits of the SHA-256 of a fixed tag and the code, marked as a random UUID. It
/// depends on the code alone, so that it never changes and needs no register; the shipped catalogues list them all.
pub fn message_id(code: &str) -> String {
    let digest = Sha256::digest(format!("{TAG}{code}"));
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    id[6] = id[6] & 0x0f | 0x40;
    id[8] = id[8] & 0x3f | 0x80;
    id.iter().fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The whole catalogue file in a language.
pub fn catalog(lang: Lang) -> String {
    let mut file = lang.pick("# isonet：日志条目的解释\n", "# isonet: what the entries in the journal mean\n").to_owned();
    for cause in Cause::ALL {
        let text = text(*cause, lang);
        let paragraphs = [what(text, cause.actors(), lang), about(lang), more(cause.code(), lang)].concat();
        chapter(&mut file, cause.code(), text.title, &paragraphs);
    }
    for code in FindingCode::ALL {
        let text = finding(*code, lang);
        let paragraphs = [what(text, code.actors(), lang), vec![origins(lang)], about(lang), more(code.code(), lang)].concat();
        chapter(&mut file, code.code(), text.title, &paragraphs);
    }
    let (subject, paragraphs) = degraded(lang);
    chapter(&mut file, "agent.degraded", subject, &[paragraphs, about(lang)].concat());
    let (subject, paragraphs) = unknown(lang);
    chapter(&mut file, "unknown", subject, &[paragraphs, about(lang)].concat());
    for code in AgentEvent::CODES {
        let (subject, paragraph) = event(code, lang);
        chapter(&mut file, code, subject, &[paragraph, record(lang)]);
    }
    file
}

fn chapter(file: &mut String, code: &str, subject: &str, paragraphs: &[String]) {
    let _ = write!(file, "\n# {code}\n-- {}\nSubject: {subject}\nDefined-By: isonet\n", message_id(code));
    for paragraph in paragraphs {
        let _ = writeln!(file, "\n{paragraph}");
    }
}

fn what(text: &Text, actors: &[Actor], lang: Lang) -> Vec<String> {
    let list = |heading: &str, steps: &[&str]| {
        let steps = steps.iter().enumerate().map(|(i, step)| wrap(&format!("{}. {step}", i + 1), "   "));
        std::iter::once(heading.to_owned()).chain(steps).collect::<Vec<_>>().join("\n")
    };
    let actors: Vec<_> = actors.iter().map(|it| actor(*it, lang)).collect();
    let who = lang.pick(format!("由谁处理：{}。", actors.join("、")), format!("Who acts: {}.", actors.join("; ")));
    vec![
        wrap(text.plain, ""),
        list(lang.pick("前台：", "At the counter:"), text.shop),
        list(lang.pick("维护人员：", "For an engineer:"), text.engineer),
        wrap(&who, ""),
    ]
}

/// Where a finding came from, and what each word for that means.
fn origins(lang: Lang) -> String {
    let head = lang.pick("来自：@ISONET_ORIGIN@", "Origin: @ISONET_ORIGIN@").to_owned();
    let words = Origin::ALL.map(|origin| {
        let line = format!("{}{}{}", origin.code(), lang.pick("：", ": "), came_from(origin, lang));
        wrap(&format!("- {line}"), "  ")
    });
    std::iter::once(head).chain(words).collect::<Vec<_>>().join("\n")
}

fn more(code: &str, lang: Lang) -> Vec<String> {
    vec![lang.pick(format!("电话和更多说明：isonet explain {code}"), format!("Numbers to call, and more: isonet explain {code}"))]
}

/// Which incident and which record.
fn about(lang: Lang) -> Vec<String> {
    let incident = lang.pick(
        "事件：@ISONET_INCIDENT@（@ISONET_PHASE@，@ISONET_CERTAINTY@），位置 @ISONET_SUBJECT@。",
        "Incident: @ISONET_INCIDENT@ (@ISONET_PHASE@, @ISONET_CERTAINTY@), at @ISONET_SUBJECT@.",
    );
    vec![format!("{incident}\n{}", record(lang))]
}

fn record(lang: Lang) -> String {
    lang.pick("记录：@ISONET_EPOCH@ 第 @ISONET_SEQ@ 号。", "Record: number @ISONET_SEQ@ of @ISONET_EPOCH@.").to_owned()
}

fn degraded(lang: Lang) -> (&'static str, Vec<String>) {
    let (subject, plain) = lang.pick(
        (
            "isonet 有一处看不到",
            "isonet 缺少权限或系统功能，有一处无法检查。网络本身不一定有问题，但这一处出了问题时 isonet 不会发现。在装 isonet 的电脑上运行 isonet diagnose --verbose，“看不到的”一节写明缺什么。如果对象以 watch.shipping 开头，说的是收记录的一方没有按要求设好，收下的记录可能留不住：isonet status 写明缺什么，请接收端的管理员按运维手册核对。",
        ),
        (
            "Something cannot be seen by isonet",
            "A permission or a part of the system is missing, so one thing cannot be checked. The network may be well, but trouble in that place would go \
             unnoticed. isonet diagnose --verbose says what is missing. Where the object begins with watch.shipping, a receiver of records is not set up as it has \
             to be and may lose what it takes: isonet status says what is missing; have the receiver's administrator compare its settings with the \
             operations guide.",
        ),
    );
    (subject, vec![wrap(plain, "")])
}

fn unknown(lang: Lang) -> (&'static str, Vec<String>) {
    let (subject, plain) = lang.pick(
        ("连不上，原因还没查清", "这台电脑连不上医保中心，但看到的还不足以说明原因。原因查清后，同一事件会有新的记录。"),
        (
            "Disconnected, the cause is not known yet",
            "This PC cannot reach the centre, and what was seen does not name a cause yet. Another record of the same incident follows when it does.",
        ),
    );
    (subject, vec![wrap(plain, "")])
}

fn event(code: &str, lang: Lang) -> (&'static str, String) {
    let (zh, en) = match code {
        "agent.started" => (
            ("isonet 开始值守", "从此刻起 isonet 看着网络。"),
            ("isonet began to watch", "From this moment on isonet watches the network."),
        ),
        "agent.stopped" => (
            ("isonet 正常停止", "isonet 按要求停止。在重新启动之前，没有人看着网络。"),
            ("isonet stopped", "isonet was asked to stop. Nobody watches the network until it is started again."),
        ),
        "agent.gap" => (
            ("isonet 有一段时间没有运行", "isonet 没有正常停止就中断了，例如断电或被强行结束。这段时间没有记录，没有记录不等于没有故障。"),
            (
                "isonet was not running for a while",
                "isonet ended without having been asked to, as in a power cut or when it is killed. Nothing was recorded meanwhile, which does not mean \
                 that nothing happened.",
            ),
        ),
        "agent.policy-changed" => (
            ("isonet 的配置有变化", "生效的配置与之前不同。如果列出了关掉或放宽的项目，请确认这是医保局或维护单位要求的。"),
            (
                "The configuration of isonet changed",
                "Another configuration is in force than before. Where keys are listed as switched off or weakened, make sure that somebody wanted it.",
            ),
        ),
        "agent.key-changed" => (
            (
                "有了新的签名密钥",
                "从这条记录起，证明材料和心跳用新的密钥签名。第一次出现是正常的；以后再出现，请把记录里的新指纹（isonet status 也显示）报给医保局信息科登记，并弄清旧的为什么不用了。",
            ),
            (
                "Another key signs from now on",
                "From this record on evidence and signs of life are signed by a new key. The first one is as it should be. Later, give the new fingerprint (isonet                  status shows it, too) to the bureau for its register, and find out what became of the one before.",
            ),
        ),
        "agent.spool-gap" => (
            ("本地记录少了一段", "较早的记录因为到期、空间上限或损坏已不在本机，缺的编号写在记录里，前后的校验值保留，便于核对。"),
            (
                "Records are gone from the local log",
                "Older records are no longer on this PC because they were kept long enough, took too much space, or were damaged. The record names the missing \
                 numbers and the hashes on both sides.",
            ),
        ),
        "agent.coalesced" => (
            ("重复的记录被合并", "磁盘一时写不进去，isonet 在内存里合并了重复的记录。请检查磁盘空间和磁盘健康。"),
            (
                "Repeated records were joined",
                "The disk could not be written for a while, and isonet joined repeated records in memory. Look at the space and the health of the disk.",
            ),
        ),
        "agent.torn-tail" => (
            ("本地记录末尾没有写完", "最后一条记录只写了一半，通常是断电造成的。没写完的部分另存在同一目录，之前的记录不受影响。"),
            (
                "The end of the local log was not finished",
                "The last record was written by half, usually because of a power cut. The unfinished part was set aside in the same directory; the records before \
                 it are whole.",
            ),
        ),
        "agent.granted" => (
            (
                "登记了一次放行",
                "有人登记了一段放行时间，内容、到期时间、授权方和登记人在记录里。医保局授权的，期间看到的相应情况只作记录；本单位自己登记的，只写在旁边。",
            ),
            (
                "A grant was recorded",
                "Somebody recorded an authorised window; what, until when, on whose authority and by whom stands in the record. On the bureau's authority what \
                 belongs to it is only noted meanwhile; on the institution's own it stands beside the incident.",
            ),
        ),
        "agent.grant-revoked" => (
            ("一次放行提前收回", "一段放行时间在到期之前收回了，从这时起不再有效。"),
            ("A grant was revoked", "An authorised window was called back before its end and holds no longer."),
        ),
        "agent.unreadable" => (
            (
                "本地记录有一段读不出来",
                "系统读不出本地记录的一个文件，多半是磁盘坏了，或者文件的权限不对。这不说明有人改动过记录。请检查磁盘健康和文件权限；读得出来之后，用 isonet verify-log 核对。",
            ),
            (
                "A part of the local log cannot be read",
                "The system does not let a file of the local log be read, mostly because the disk fails or a right is missing. It does not mean that anybody \
                 changed it. Look at the health of the disk and at the rights; once it can be read, isonet verify-log checks it.",
            ),
        ),
        _ => (
            ("本地记录与写入时不一致", "本地记录的校验对不上：文件被改动过，或者磁盘损坏。原样保留文件，不要修改，并告知医保局信息科。"),
            (
                "The local log is not as it was written",
                "A checksum of the local log does not fit: a file was changed, or the disk is damaged. Leave the files as they are and tell the bureau's information \
                 office.",
            ),
        ),
    };
    let (subject, plain) = lang.pick(zh, en);
    (subject, wrap(plain, ""))
}

/// Breaks a text into lines at blanks and between wide characters; later lines begin with `indent`. No line begins with a closing mark.
fn wrap(text: &str, indent: &str) -> String {
    let (mut out, mut line) = (String::new(), String::new());
    let (mut column, mut breakable) = (0, None::<usize>);
    let mut before = ' ';
    for c in text.chars() {
        let wide = c.width() == Some(2);
        if c == ' ' || ((wide || before.width() == Some(2)) && !"，。、；：！？）》”".contains(c) && !"（《“".contains(before))
        {
            breakable = Some(line.len());
        }
        line.push(c);
        column += c.width().unwrap_or(0);
        if column > WIDTH
            && let Some(at) = breakable.take().filter(|at| *at > indent.len())
        {
            let rest = line.split_off(at);
            let _ = writeln!(out, "{}", line.trim_end());
            line = format!("{indent}{}", rest.trim_start());
            column = line.chars().filter_map(UnicodeWidthChar::width).sum();
        }
        before = c;
    }
    out + line.trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn the_shipped_catalogues_are_what_the_code_makes() {
        for (lang, name) in [(Lang::En, "isonet.catalog"), (Lang::ZhCn, "isonet.zh_CN.catalog")] {
            let path = format!("{}/systemd/{name}", env!("CARGO_MANIFEST_DIR"));
            // As insta does with its snapshots: made anew on demand only.
            if std::env::var("INSTA_UPDATE").as_deref() == Ok("always") {
                std::fs::write(&path, catalog(lang)).expect("written");
            }
            let shipped = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(shipped == catalog(lang), "{name} is out of date: run this test with INSTA_UPDATE=always");
        }
    }

    #[test]
    fn every_code_has_an_id_of_its_own_that_never_changes() {
        assert_eq!(message_id("line.down"), "bda5ff3e779d4dceaa647c9e09fcf254");
        let codes = Cause::ALL
            .iter()
            .map(|cause| cause.code())
            .chain(FindingCode::ALL.iter().map(|code| code.code()))
            .chain(AgentEvent::CODES)
            .chain(["agent.degraded", "unknown"]);
        let mut seen = BTreeSet::new();
        for code in codes {
            assert!(seen.insert(message_id(code)), "{code}");
            assert!(Lang::ALL.iter().all(|lang| catalog(*lang).contains(&format!("-- {}\n", message_id(code)))), "{code}");
        }
    }

    #[test]
    fn lines_fit_the_screen_and_only_fields_of_the_entry_are_filled_in() {
        for lang in Lang::ALL {
            for line in catalog(lang).lines().filter(|line| !line.starts_with("Subject:") && !line.contains('@')) {
                assert!(line.width() <= WIDTH + 2, "{line}");
            }
            for word in catalog(lang).split('@').skip(1).step_by(2) {
                assert!(word.starts_with("ISONET_"), "{word}");
            }
        }
    }
}

//! Evidence about the clock.

use super::{Lang, span};

/// What was looked at.
pub(super) fn question(kind: &str, lang: Lang) -> Option<&'static str> {
    let (zh, en) = match kind {
        "clock.step" => ("日期时间跳了", "date and time jumped"),
        "clock.steps" => ("前后一共", "in all"),
        "clock.after" => ("后来", "afterwards"),
        "clock.by" => ("校时服务有没有认可", "vouched for by"),
        "clock.program" => ("系统审计记下的程序", "program named by the audit:"),
        "clock.host" => ("这台电脑", "this PC is a"),
        "clock.kept-before" => ("之前", "before that"),
        "clock.kept" => ("现在", "now"),
        "clock.right" => ("和上次校准的时间比", "against the time last kept right"),
        "clock.server" => ("和服务器时间比", "against the servers' time"),
        "clock.offline" => ("没有值守的时候变了", "changed while nobody watched"),
        "clock.boot" => ("这段时间", "meanwhile"),
        "clock.tick" => ("系统时钟的节拍", "the system clock's tick"),
        "clock.frequency" => ("走速修正", "correction of its rate"),
        "clock.rate" => ("测得的走速偏差", "rate measured"),
        "clock.battery-step" => ("电池时钟变了", "battery clock moved"),
        "clock.battery" => ("电池时钟和系统时间比", "battery clock against this PC's time"),
        "clock.zone" => ("现在的时区", "time zone now, by"),
        "clock.zone-enrolled" => ("登记的时区", "time zone registered, by"),
        _ => return None,
    };
    Some(lang.pick(zh, en))
}

/// What it showed.
pub(super) fn result(result: &str, lang: Lang) -> Option<String> {
    let (zh, en) = match result {
        "time daemon" => ("校时服务认可", "a time service"),
        "no time daemon" => ("没有", "no time service"),
        "set back" => ("又回到了原来的时间", "back to where it was"),
        "synchronised" => ("有校时服务对着时间", "a time service keeps it"),
        "not synchronised" => ("没有校时服务对着时间", "no time service keeps it"),
        "same boot" => ("没有重新开过机", "this PC was not restarted"),
        "another boot" => ("电脑重新开过机", "this PC was restarted"),
        "no login" => ("没有人登录，是系统服务", "nobody logged in, a service"),
        "virtual machine" => ("是虚拟机，宿主机可能会校时", "virtual machine, whose host may set the time"),
        "without a name" => ("没有名称", "without a name"),
        _ => return moved(result, lang).or_else(|| counted(result, lang)),
    };
    Some(lang.pick(zh, en).to_owned())
}

/// `forward 86399.412 s`, `back 2.000 s or more`.
fn moved(result: &str, lang: Lang) -> Option<String> {
    let (exact, least) = result.strip_suffix(" or more").map_or((result, false), |exact| (exact, true));
    let (way, size) = exact.split_once(' ')?;
    let size = size.strip_suffix(" s")?;
    let (whole, _) = size.split_once('.')?;
    let about = match whole.parse::<u64>().ok()? {
        ..120 => String::new(),
        seconds => lang.pick(format!("（约 {}）", span(seconds, lang)), format!(" (about {})", span(seconds, lang))),
    };
    let (zh, en) = match way {
        "forward" => ("快了", "ahead by"),
        "back" => ("慢了", "back by"),
        _ => return None,
    };
    let (zh_least, en_least) = if least { ("至少 ", "at least ") } else { (" ", "") };
    Some(lang.pick(format!("{zh}{zh_least}{size} 秒{about}"), format!("{en} {en_least}{size} s{about}")))
}

/// `4 times`, `11000 us`, `-3 ppm`, `may be NAME`, `login 1000`.
fn counted(result: &str, lang: Lang) -> Option<String> {
    if let Some(name) = result.strip_prefix("may be ") {
        return Some(lang.pick(format!("没有；正在运行的 {name} 可以调时间"), format!("no time service; {name} runs, which may set it")));
    }
    if let Some(login) = result.strip_prefix("login ").and_then(|login| login.parse::<u32>().ok()) {
        return Some(lang.pick(format!("登录用户编号 {login}"), format!("user {login} had logged in")));
    }
    let (number, unit) = result.split_once(' ')?;
    number.parse::<i64>().ok()?;
    Some(match unit {
        // Several in a moment are seen as one.
        "times" => lang.pick(format!("至少 {number} 次"), format!("at least {number} times")),
        "us" => lang.pick(format!("{number} 微秒（正常 10000）"), format!("{number} us (10000 is normal)")),
        "ppm" => lang.pick(format!("百万分之 {number}"), format!("{number} millionths")),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_of_the_clock_reads_well_in_both_languages() {
        let said = |text| (result(text, Lang::ZhCn).expect("words"), result(text, Lang::En).expect("words"));
        let both = |zh: &str, en: &str| (zh.to_owned(), en.to_owned());
        assert_eq!(said("forward 86399.412 s"), both("快了 86399.412 秒（约 23 小时）", "ahead by 86399.412 s (about 23 h)"));
        assert_eq!(said("back 2.000 s"), both("慢了 2.000 秒", "back by 2.000 s"));
        let weeks = both("慢了至少 2592000.000 秒（约 30 天）", "back by at least 2592000.000 s (about 30 days)");
        assert_eq!(said("back 2592000.000 s or more"), weeks);
        assert_eq!(said("1000 times"), both("至少 1000 次", "at least 1000 times"));
        assert_eq!(said("11000 us"), both("11000 微秒（正常 10000）", "11000 us (10000 is normal)"));
        assert_eq!(said("login 1000"), both("登录用户编号 1000", "user 1000 had logged in"));
        assert_eq!(said("+700 ppm"), both("百万分之 +700", "+700 millionths"));
        for other in ["forward", "back 2 s", "forward x.0 s", "sideways 2.0 s", "+7200 s", "12 apples", ""] {
            assert_eq!(result(other, Lang::En), None, "{other}");
        }
    }
}

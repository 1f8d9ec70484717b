//! `isonet man`: the pages of the manual, made from the same grammar as the help, one language a page.
//!
//! To stdout goes the first page. With `--dir` all pages are laid out as below `/usr/share/man`: `man1/isonet.1`,
//! `man1/isonet-COMMAND.1`, and the Chinese ones below `zh_CN/`.
//!
//! Exit status: 74 = a page could not be written.

use super::grammar::{self, Global};
use super::{IO, complain, print};
use crate::catalogue::Lang;
use crate::config::LanguageChoice;
use crate::report::{CLOSING, OPENING};
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use unicode_width::UnicodeWidthChar;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// 把所有手册页写到这个目录下；不填则打印第一页 / Write all pages below this directory [print the first]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// What the library begins every section with; once a page is enough.
const PREAMBLE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// No words are pulled apart to fill a line, and none is hyphenated: there are names among them.
const LAYOUT: &str = ".ad l\n.nh\n";

/// A heading of the library's, and ours in Chinese.
const HEADINGS: [(&str, &str); 3] = [("NAME", "名称"), ("SYNOPSIS", "用法"), ("DESCRIPTION", "说明")];

/// Sections of the first page that no grammar knows: heading and lines, Chinese and English.
const MORE: [[(&str, &[&str]); 2]; 4] = [
    [
        (
            "退出状态",
            &[
                "diagnose：0 连通且无异常；10 连通但有变差的地方；20 不通；30 隔离已被破坏；40 无法判断。",
                "所有命令：64 用法错误；65 记录和写下时不一致，或者放行、说明没有登记成；66 找不到文件或没有相近的内容；69 值守程序没有运行；70 内部错误；74 无法读写；77 没有权限；78 配置有误。",
            ],
        ),
        (
            "EXIT STATUS",
            &[
                "diagnose: 0 connected, nothing wrong; 10 connected, but something is worse than it should be; 20 disconnected; 30 the isolation is broken; 40 could not tell.",
                "All commands: 64 usage; 65 records not as they were written, or a grant or statement refused; 66 file missing or nothing similar found; 69 the service does not run; 70 internal; 74 cannot read or write; 77 not permitted; 78 configuration not right.",
            ],
        ),
    ],
    [
        ("环境变量", &["ISONET_LOG：日志级别（off、error、warn、info、debug、trace），日志写到标准错误。", "NO_COLOR：不用颜色。"]),
        ("ENVIRONMENT", &["ISONET_LOG: level of the log on stderr (off, error, warn, info, debug, trace).", "NO_COLOR: no colours."]),
    ],
    [
        (
            "文件",
            &[
                "/etc/isonet/isonet.toml：配置文件，其中逐项有说明；同目录下的 conf.d/*.toml 一并读入。",
                "/var/lib/isonet：记录、基线、放行和签名密钥。",
                "/run/isonet：值守程序的套接字。",
            ],
        ),
        (
            "FILES",
            &[
                "/etc/isonet/isonet.toml: the configuration, explained line by line in itself; conf.d/*.toml beside it are read as well.",
                "/var/lib/isonet: records, baseline, grants and the key.",
                "/run/isonet: the sockets of the service.",
            ],
        ),
    ],
    [
        ("另见", &["systemctl(1)、journalctl(1)、/usr/share/doc/isonet"]),
        ("SEE ALSO", &["systemctl(1), journalctl(1), /usr/share/doc/isonet"]),
    ],
];

pub fn run(global: &Global, arguments: &Arguments) -> u8 {
    let Some(dir) = &arguments.dir else {
        let first = pages(global.lang(LanguageChoice::Auto)).into_iter().next_back();
        return print(&first.map(|page| page.text).unwrap_or_default()).err().unwrap_or(0);
    };
    let laid = [Lang::En, Lang::ZhCn].into_iter().try_for_each(|lang| {
        let home = dir.join(lang.pick("zh_CN/man1", "man1"));
        pages(lang).iter().try_for_each(|page| lay(&home, page))
    });
    laid.map_or_else(
        |(path, error)| {
            complain(&format!("isonet: 无法写入 {0}：{error} / cannot write {0}: {error}", path.display()));
            IO
        },
        |()| 0,
    )
}

/// One page, and the name of its file.
struct Page {
    file: String,
    text: String,
}

fn lay(home: &Path, page: &Page) -> Result<(), (PathBuf, io::Error)> {
    let path = home.join(&page.file);
    fs::create_dir_all(home).and_then(|()| fs::File::create(&path)?.write_all(page.text.as_bytes())).map_err(|error| (path, error))
}

/// All pages of one language; the one of isonet itself is the last.
fn pages(lang: Lang) -> Vec<Page> {
    fn gather(command: &clap::Command, lang: Lang, pages: &mut Vec<Page>) {
        for below in command.get_subcommands() {
            gather(below, lang, pages);
        }
        pages.push(page(command, lang));
    }
    let mut pages = Vec::new();
    gather(&grammar::command_in(lang), lang, &mut pages);
    pages
}

fn page(command: &clap::Command, lang: Lang) -> Page {
    let man = Man::new(command.clone());
    let mut text = Vec::new();
    let mut render = |section: fn(&Man, &mut dyn Write) -> io::Result<()>| section(&man, &mut text).expect("a vector takes everything");
    render(Man::render_name_section);
    render(Man::render_synopsis_section);
    render(Man::render_description_section);
    render(Man::render_options_section);
    if command.has_subcommands() {
        render(Man::render_subcommands_section);
    }
    // The library leaves out an empty date, and everything after it moves up.
    let (file, version) = (man.get_filename(), env!("CARGO_PKG_VERSION"));
    let title = file.trim_end_matches(".1");
    let sections = String::from_utf8_lossy(&text).replace(PREAMBLE, "");
    let manual = lang.pick("isonet 手册", "isonet manual");
    let mut text = format!("{PREAMBLE}.TH {title} 1 \"\" \"isonet {version}\" \"{manual}\"\n{LAYOUT}{sections}");
    if command.get_name() == "isonet" {
        text.push_str(&more(lang));
    }
    if lang == Lang::ZhCn {
        for (heading, ours) in HEADINGS {
            text = text.replace(&format!(".SH {heading}\n"), &format!(".SH {ours}\n"));
        }
        text = text.lines().map(|line| if line.starts_with('.') { line.to_owned() } else { breakable(line) } + "\n").collect();
    }
    Page { file, text }
}

/// A line of text with the places marked where it may be broken without a space: groff finds none in Chinese.
fn breakable(line: &str) -> String {
    let wide = |sign: char| sign.width() == Some(2);
    let mut marked = String::new();
    let mut last = None;
    for sign in line.chars() {
        if let Some(last) = last
            // Not inside of an escape, which begins with a backslash and is ASCII.
            && (wide(sign) || wide(last) && sign.is_ascii_alphanumeric())
            && last != ' '
            && !CLOSING.contains(sign)
            && !OPENING.contains(last)
        {
            marked.push_str("\\:");
        }
        marked.push(sign);
        last = Some(sign);
    }
    marked
}

fn more(lang: Lang) -> String {
    let mut roff = Roff::new();
    for [chinese, english] in MORE {
        let (heading, lines) = lang.pick(chinese, english);
        roff.control("SH", [heading]);
        for line in lines {
            roff.control("PP", []);
            roff.text([roman(*line)]);
        }
    }
    roff.render().replace(PREAMBLE, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_in_each_language() {
        let [english, chinese] = [Lang::En, Lang::ZhCn].map(pages);
        let files = |pages: &[Page]| pages.iter().map(|page| page.file.clone()).collect::<Vec<_>>();
        assert_eq!(files(&english), files(&chinese));
        for command in grammar::command().get_subcommands() {
            let file = format!("isonet-{}.1", command.get_name());
            assert!(files(&english).contains(&file), "{file}");
        }
        for page in english {
            assert!(page.text.is_ascii(), "{}: {}", page.file, page.text);
            assert!(page.text.contains(".SH NAME\n") && page.text.matches(PREAMBLE).count() == 1, "{}", page.text);
        }
        for page in chinese {
            assert!(page.text.contains(".SH 名称\n") && !page.text.contains(".SH NAME"), "{}", page.text);
        }
    }

    #[test]
    fn chinese_may_be_broken_but_not_before_a_closing_sign() {
        assert_eq!(breakable("甲，乙（a 丙）"), r"甲，\:乙\:（a 丙）");
        assert_eq!(breakable(r"用 \fBman\fR看"), r"用 \fBman\fR\:看");
    }

    #[test]
    fn the_first_page_names_the_exit_status_and_the_files() {
        for (lang, expected) in [(Lang::En, ".SH FILES"), (Lang::ZhCn, ".SH 文件")] {
            let first = pages(lang).pop().expect("there are pages");
            assert_eq!(first.file, "isonet.1");
            assert!(first.text.contains(expected) && first.text.contains("78"), "{}", first.text);
        }
    }
}

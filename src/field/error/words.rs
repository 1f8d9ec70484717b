//! The words of each: what is wrong, where, and what to do now, in both languages.

use super::{FieldError, Near};
use crate::catalogue::Lang;
use crate::field::choose::Pc;

impl FieldError {
    /// What is wrong, where, and what to do now.
    pub fn render(&self, lang: Lang) -> String {
        let (what, remedy) = match self {
            Self::NotText { .. } | Self::NotAList { .. } | Self::NoRows { .. } | Self::NotAFragment { .. } => self.of_the_file(lang),
            Self::TooManyCells { .. }
            | Self::CellTooLong { .. }
            | Self::Unclosed { .. }
            | Self::SameColumn { .. }
            | Self::NoSuchKey { .. }
            | Self::Shortened { .. } => self.of_the_table(lang),
            Self::Changed { .. } | Self::Overruled { .. } => self.of_a_person(lang),
            _ => self.of_the_row(lang),
        };
        format!("{}\n  {}", clean(&what), clean_lines(&remedy))
    }

    fn of_the_file(&self, lang: Lang) -> (String, String) {
        match self {
            Self::NotText { file, at } => (
                lang.pick(
                    format!("{file} 不是文本：第 {} 个字节读不懂，UTF-8、GBK、UTF-16 都不是", at + 1),
                    format!("{file} is no text: byte {} makes sense neither in UTF-8 nor in GBK nor in UTF-16", at + 1),
                ),
                lang.pick(
                    "用 Excel 打开，另存为“CSV UTF-8（逗号分隔）”，再运行一次",
                    "open it in the spreadsheet, save it as CSV UTF-8, and run this again",
                )
                .to_owned(),
            ),
            Self::NotAList { file, line, why } => (
                lang.pick(format!("{file} 第 {line} 行读不懂：{why}"), format!("{file}, line {line} is not understood: {why}")),
                lang.pick("另存为“CSV UTF-8（逗号分隔）”", "save it as CSV UTF-8").to_owned(),
            ),
            Self::NotAFragment { file, why } => (
                lang.pick(format!("{file} 不是配置片段：{why}"), format!("{file} is no fragment of a configuration: {why}")),
                lang.pick("写法与 isonet.toml 相同", "it is written as isonet.toml is").to_owned(),
            ),
            _ => (
                lang.pick(format!("{} 里一行终端都没有", self.file()), format!("{} has no row of a terminal", self.file())),
                lang.pick("第一行写列名，以下每行一台终端", "the first line names the columns; one line for each terminal follows")
                    .to_owned(),
            ),
        }
    }

    fn of_the_table(&self, lang: Lang) -> (String, String) {
        match self {
            Self::TooManyCells { file, line, columns, extra } => (
                lang.pick(
                    format!("{file} 第 {line} 行多出一格“{extra}”：只有 {columns} 列"),
                    format!("{file}, line {line}: one cell too many, \"{extra}\": there are {columns} columns"),
                ),
                lang.pick("内容里有逗号的格子要用英文双引号括起来", "put a cell that holds a comma in double quotes").to_owned(),
            ),
            Self::CellTooLong { file, line, column, most } => (
                lang.pick(
                    format!("{file} 第 {line} 行「{column}」列超过 {most} 个字"),
                    format!("{file}, line {line}, column \"{column}\": more than {most} characters"),
                ),
                lang.pick("看看引号是不是少了一个", "a double quote may be missing").to_owned(),
            ),
            Self::Unclosed { file, line } => (
                lang.pick(
                    format!("{file} 第 {line} 行有一个双引号没有配对，后面各行都被当成了同一格"),
                    format!("{file}, line {line}: a double quote is not closed, and all rows below it would be one cell"),
                ),
                lang.pick("补上或删去这个引号，再运行一次", "close the quote or remove it, and run this again").to_owned(),
            ),
            Self::SameColumn { file, first, second } => (
                lang.pick(
                    format!("{file} 的「{first}」和「{second}」是同一个意思"),
                    format!("{file}: the columns \"{first}\" and \"{second}\" mean the same"),
                ),
                lang.pick("只留一列", "leave one of them out").to_owned(),
            ),
            Self::Shortened { file, near } => (
                lang.pick(
                    format!("{file} 第 {} 行「{}」列是“{}”：表格软件把长数字改成了科学记数", near.line, near.column, near.cell),
                    format!(
                        "{file}, line {}, column \"{}\" is \"{}\": the spreadsheet shortened a long number",
                        near.line, near.column, near.cell
                    ),
                ),
                shortened_remedy(lang),
            ),
            Self::NoSuchKey { file, column } => (
                lang.pick(
                    format!("{file} 的列名「{column}」像配置项，但没有这个配置项"),
                    format!("{file}: the column \"{column}\" looks like a key of the configuration, and there is none"),
                ),
                lang.pick(
                    "写法如 vpn[centre].interface、centre[settlement].tls.port；不给 isonet 用的列请换个名字",
                    "write vpn[centre].interface or centre[settlement].tls.port; give a column that is not for isonet another name",
                )
                .to_owned(),
            ),
            _ => (String::new(), String::new()),
        }
    }

    fn of_the_row(&self, lang: Lang) -> (String, String) {
        let file = self.file();
        match self {
            Self::NoCodeColumn { .. } => (
                lang.pick(
                    format!("{file} 没有「code」（机构编码）列，--site 无从查起"),
                    format!("{file} has no column \"code\", which --site needs"),
                ),
                lang.pick(
                    "加上这一列，或去掉 --site，按主机名、网卡地址等列查找",
                    "add it, or leave --site out: hostname, mac or address then tell",
                )
                .to_owned(),
            ),
            Self::NoSuchSite { code, shortened, .. } => (
                lang.pick(format!("{file} 里没有编码为 {code} 的一行"), format!("{file} has no row with the code {code}")),
                match shortened {
                    Some(line) => lang.pick(
                        format!("第 {line} 行的编码被表格软件改成了科学记数：{}", shortened_remedy(lang)),
                        format!("the spreadsheet shortened the code in line {line}: {}", shortened_remedy(lang)),
                    ),
                    None => lang.pick("核对编码，或在表中补上这一行", "check the code, or add the row").to_owned(),
                },
            ),
            Self::NoSuchTerminal { code, terminal, .. } => (
                lang.pick(format!("{file} 里 {code} 没有名为“{terminal}”的终端"), format!("{file}: {code} has no terminal \"{terminal}\"")),
                lang.pick("核对「terminal」（终端）列", "check the column \"terminal\"").to_owned(),
            ),
            Self::NoMarks { .. } => (
                lang.pick(format!("{file} 里没有一行写明是哪台电脑"), format!("no row of {file} says which PC it is for")),
                lang.pick(
                    "用 --site 编码 指定，或加上 hostname、mac、address 列",
                    "give --site CODE, or add a column hostname, mac or address",
                )
                .to_owned(),
            ),
            Self::NoRow { pc, near, .. } => (
                no_row(&file, pc, near, lang),
                lang.pick(
                    "在表中补上或改正这一行，或用 --site 编码（及 --terminal 终端）指定",
                    "add or correct the row, or give --site CODE (and --terminal NAME)",
                )
                .to_owned(),
            ),
            Self::Ambiguous { rows, .. } => {
                let list = |line: &dyn Fn(u64) -> String| {
                    rows.iter().take(8).map(|(n, who)| format!("{} {who}", line(*n))).collect::<Vec<_>>().join(lang.pick("；", "; "))
                };
                (
                    lang.pick(
                        format!("{file} 里有 {} 行都可能是本机：{}", rows.len(), list(&|n| format!("第 {n} 行"))),
                        format!("{} rows of {file} could be this PC: {}", rows.len(), list(&|n| format!("line {n}"))),
                    ),
                    lang.pick(
                        "用 --site 编码（同一机构有几台时再加 --terminal 终端）指定，或补全 hostname、mac 列",
                        "give --site CODE (and --terminal NAME where a site has several), or fill in hostname or mac",
                    )
                    .to_owned(),
                )
            }
            Self::AnotherPc { near, has, .. } => {
                let has = if has.is_empty() { lang.pick("无", "none") } else { has };
                (
                    lang.pick(
                        format!("{file} 第 {} 行是另一台电脑的：「{}」列是 {}，本机是 {has}", near.line, near.column, near.cell),
                        format!(
                            "{file}, line {} is another PC's: the column \"{}\" says {}, this PC has {has}",
                            near.line, near.column, near.cell
                        ),
                    ),
                    lang.pick(
                        "核对编码和电脑；换过网卡或改过名就改正这一格，或把它清空",
                        "check the code and the PC; after a change of card or name correct the cell, or empty it",
                    )
                    .to_owned(),
                )
            }
            _ => (String::new(), String::new()),
        }
    }

    fn of_a_person(&self, lang: Lang) -> (String, String) {
        match self {
            Self::Changed { file } => (
                lang.pick(
                    format!("{file} 不是 isonet 写的，或写后有人改过：没有动它，什么都没有写"),
                    format!("{file} was not written by isonet, or was changed since: it was left alone, and nothing was written"),
                ),
                lang.pick(
                    "把要保留的内容移到同一目录的 90-local.toml（它最后合并，以它为准），删去这个文件，再运行一次",
                    "move what is to stay to 90-local.toml beside it (it is merged last and wins), remove the file, and run this again",
                )
                .to_owned(),
            ),
            Self::Overruled { overlaps } => {
                let lines: Vec<String> = overlaps.iter().take(8).map(|overlap| overlap.render(lang)).collect();
                (
                    lang.pick(
                        format!("本机已有 {} 处手工设置与此不同，什么都没有写：", overlaps.len()),
                        format!("{} settings made by hand on this PC differ, and nothing was written:", overlaps.len()),
                    ),
                    format!(
                        "{}\n{}",
                        lines.join("\n"),
                        lang.pick(
                            "要保留的移到 conf.d/90-local.toml（它最后合并，以它为准）；不要的删去；再运行一次",
                            "move what is to stay to conf.d/90-local.toml (it is merged last and wins), remove the rest, and run this again",
                        )
                    ),
                )
            }
            _ => (String::new(), String::new()),
        }
    }
}

fn shortened_remedy(lang: Lang) -> String {
    lang.pick("把该列的格式设为“文本”，重新填写后另存", "format the column as text, fill it in again, and save").to_owned()
}

fn no_row(file: &str, pc: &Pc, near: &[Near], lang: Lang) -> String {
    let addresses = pc.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let (name, macs) = (pc.hostname.as_deref().unwrap_or("-"), pc.macs.join(", "));
    let mut told = lang.pick(
        format!("{file} 里没有本机的一行（主机名 {name}；网卡地址 {macs}；地址 {addresses}）"),
        format!("{file} has no row for this PC (host name {name}; cards {macs}; addresses {addresses})"),
    );
    for Near { line, column, cell } in near {
        told += &lang.pick(format!("；第 {line} 行「{column}」列是 {cell}"), format!("; line {line}: the column \"{column}\" says {cell}"));
    }
    told
}

/// Without anything that could steer a terminal: names come from files.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n  ")
}

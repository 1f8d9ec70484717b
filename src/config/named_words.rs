//! What is wrong with a file that the configuration names, and what to do about it, in words.

use super::named::{FileFault, FileRole};
use crate::catalogue::Lang;

/// What is wrong, and what would be right. `path` is shown as it is given.
pub(super) fn words(path: &str, role: FileRole, fault: &FileFault, lang: Lang) -> (String, String) {
    (wrong(path, fault, lang), right(role, fault, lang).to_owned())
}

fn wrong(path: &str, fault: &FileFault, lang: Lang) -> String {
    match fault {
        FileFault::Absent => lang.pick(format!("{path} 不存在"), format!("{path} does not exist")),
        FileFault::Forbidden => lang.pick(format!("无权读取 {path}"), format!("{path} may not be read by this user")),
        FileFault::NotAFile => lang.pick(
            format!("{path} 不是普通文件（是目录、管道或设备）"),
            format!("{path} is not a plain file (a directory, a pipe or a device)"),
        ),
        FileFault::NotASocket => lang.pick(format!("{path} 不是套接字"), format!("{path} is not a socket")),
        FileFault::TooLarge(most) => lang.pick(format!("{path} 超过 {most} 字节"), format!("{path} is larger than {most} bytes")),
        FileFault::Unreadable(why) => lang.pick(format!("无法读取 {path}：{why}"), format!("{path} cannot be read: {why}")),
        FileFault::NoCertificate => {
            lang.pick(format!("{path} 中没有 PEM 格式的证书"), format!("{path} has no certificate in PEM form in it"))
        }
        FileFault::NoKey => lang.pick(format!("{path} 中没有 PEM 格式的私钥"), format!("{path} has no private key in PEM form in it")),
        FileFault::Damaged(how) => lang.pick(format!("{path} 已损坏：{how}"), format!("{path} is damaged: {how}")),
        FileFault::BadCertificate(nth) => {
            lang.pick(format!("{path} 中的第 {nth} 张证书无法读取"), format!("certificate {nth} in {path} cannot be read"))
        }
        FileFault::NotItsKey(how) => lang.pick(
            format!("{path} 与同一处的 client-cert 不匹配：{how}"),
            format!("{path} does not belong to the client-cert beside it: {how}"),
        ),
    }
}

fn right(role: FileRole, fault: &FileFault, lang: Lang) -> &'static str {
    match (fault, role) {
        (FileFault::Absent, FileRole::Authority) => lang.pick(
            "请放入签发单位的根证书；没有时删去此项（证书将不作判断）",
            "put the issuer's certificate there, or leave the key out (certificates are then not judged)",
        ),
        (FileFault::Absent, FileRole::Certificate | FileRole::Key | FileRole::Credentials) => {
            lang.pick("请放入发给本终端的文件，或改正路径", "put this terminal's own file there, or correct the path")
        }
        (FileFault::Absent, FileRole::Log | FileRole::Management | FileRole::Marker) => lang.pick(
            "如果相应的程序尚未运行过，这是正常的；否则请改正路径",
            "this is normal if its program has not run yet; otherwise correct the path",
        ),
        (FileFault::Forbidden, FileRole::Log) => {
            lang.pick("请将运行 isonet 的用户加入该日志的用户组（如 adm）", "add the user that runs isonet to the log's group (such as adm)")
        }
        (FileFault::Forbidden, _) => {
            lang.pick("请让运行 isonet 的用户可以读取它", "make it readable for the user that runs isonet")
        }
        (FileFault::NotAFile | FileFault::NotASocket, _) => lang.pick("请改正路径", "correct the path"),
        (FileFault::TooLarge(_), _) => lang.pick("请检查是否写错了文件", "check that this is the right file"),
        (FileFault::Unreadable(_), _) => lang.pick("请检查路径和磁盘", "check the path and the disk"),
        (FileFault::NoCertificate | FileFault::Damaged(_), FileRole::Key) | (FileFault::NoKey, _) => lang.pick(
            "文件应含有以 -----BEGIN PRIVATE KEY----- 开头的一段，且不设密码",
            "it must have a part that begins with -----BEGIN PRIVATE KEY-----, without a password",
        ),
        (FileFault::NoCertificate | FileFault::Damaged(_) | FileFault::BadCertificate(_), _) => lang.pick(
            "文件应含有以 -----BEGIN CERTIFICATE----- 开头的一段；DER 格式（.cer、.der）需先转换，或请发证单位重新提供",
            "it must have a part that begins with -----BEGIN CERTIFICATE-----; convert a DER file (.cer, .der), or ask its issuer for it again",
        ),
        (FileFault::NotItsKey(_), _) => {
            lang.pick("请填写同一次签发的证书和私钥", "write the certificate and the key that were issued together")
        }
    }
}

//! What looks like a fault and is none, in words.

use super::Lang;
use crate::model::NoteCode;

/// The sentence of a note.
pub fn note(code: NoteCode, lang: Lang) -> &'static str {
    let (zh, en) = match code {
        NoteCode::CentrePingForbidden => (
            "医保中心不回应探测，这是它的规定，服务本身是好的，不影响结算。",
            "The centre does not answer test packets. That is its policy; its service works.",
        ),
        NoteCode::GatewayPingForbidden => {
            ("路由器不回应探测，但是照常转发，不影响结算。", "The router does not answer test packets but forwards as it should.")
        }
        NoteCode::CentreNotConfigured => (
            "还没有填写医保中心的地址，所以查不到最后一段，也说不准能不能结算。",
            "The centre's address is not set, so the last part of the way cannot be looked at and nobody can say whether settlement works.",
        ),
        NoteCode::NotEnrolled => (
            "这台电脑还没有登记，没法和平时的样子比，隔离状态也判断不了。",
            "This PC has not been enrolled: there is nothing to compare with, and its isolation cannot be judged.",
        ),
        NoteCode::OuterPath => (
            "这台电脑是在普通宽带上用 VPN 连医保专网的，本来就有一条通外面的线，这是设计如此。",
            "This PC reaches the insurance network by VPN over ordinary broadband: a way outward exists by design.",
        ),
        NoteCode::DnsNotNeeded => (
            "医保中心的地址是直接写好的，用不着域名解析，这一步没有查。",
            "The centre's address is written down on this PC, so no name look-up is needed and none was made.",
        ),
        NoteCode::TlsNotJudged => (
            "没有配置用来核对的根证书，所以医保中心的安全证书没有判断真假。",
            "No root certificate is set to compare with, so the centre's certificate was not judged.",
        ),
        NoteCode::TlsUnsupported => (
            "医保中心用的加密方式本工具不支持（比如国密），这一步没法查，不算故障。",
            "The centre uses an encryption this tool does not speak (national algorithms, for one); this step cannot be looked at and counts as no fault.",
        ),
        NoteCode::OneLook => (
            "这是只看一眼的结果；时好时坏的毛病要看一段时间才说得准。",
            "This is one look only; what comes and goes can be told for sure only over time.",
        ),
        NoteCode::OtherFamily => (
            "医保中心的一部分地址从这里走不到，另一部分走得通，不影响结算。",
            "Some of the centre's addresses cannot be reached from here, others can; settlement is not affected.",
        ),
        NoteCode::MaintenanceWindow => {
            ("现在正是医保那边通知过的维护时间。", "An announced maintenance of the insurance side is going on now.")
        }
    };
    lang.pick(zh, en)
}

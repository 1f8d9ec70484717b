//! One line of how things stand, for the service manager.

use super::recorder::Recorder;
use crate::catalogue::Lang;
use crate::model::Diagnosis;
use crate::report::{self, Facing};

/// Whether one can settle, and what hinders the log.
pub fn line(latest: Option<&Diagnosis>, facing: &Facing, recorder: &Recorder, lang: Lang) -> String {
    let answer = match latest {
        Some(diagnosis) => report::sentence(diagnosis, facing, lang),
        None => lang.pick("正在做第一次检查。", "The first look is under way.").to_owned(),
    };
    let lack = [recorder.trouble(lang), recorder.refused(lang)].into_iter().flatten();
    lack.fold(answer, |line, lack| format!("{line}{}{lack}", lang.pick("", " ")))
}

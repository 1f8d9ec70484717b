//! What is looked at in every state of a page: whether a screen reader, a weak eye or paper would stumble over it, whether the console complains,
//! whether anything is asked of anybody but the page's own server; and its pictures, for a person to look at.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::driver::Browser;
use crate::shell::Done;

/// What pages are looked at on: a phone's width and a desk's, by day and by night.
const LOOKS: [(u32, bool); 4] = [(360, false), (1024, false), (1024, true), (360, true)];
/// Of axe-core's four grades, those that keep somebody from reading or using a page.
const GRAVE: [&str; 2] = ["serious", "critical"];

/// The rules, and where pictures go.
pub(crate) struct Eyes {
    axe: String,
    pictures: PathBuf,
}

impl Eyes {
    /// Reads what `tests/browser/fetch-axe` laid; pictures of an earlier run are replaced.
    pub(crate) fn open(axe: &Path, pictures: &Path) -> Done<Eyes> {
        let axe = std::fs::read_to_string(axe).map_err(|e| format!("cannot read {}: {e}", axe.display()))?;
        std::fs::create_dir_all(pictures).map_err(|e| format!("cannot create {}: {e}", pictures.display()))?;
        Ok(Eyes { axe, pictures: pictures.to_path_buf() })
    }

    /// Looks at an open page in every way, and keeps its pictures under this name. What is wrong.
    pub(crate) fn at(&self, page: &Browser<'_>, name: &str) -> Done<Vec<String>> {
        let mut wrong = Vec::new();
        for (width, dark) in LOOKS {
            page.look(width, dark)?;
            let how = format!("{name}-{width}{}", if dark { "-dark" } else { "" });
            self.keep(&format!("{how}.png"), &page.picture()?)?;
            wrong.extend(self.stumbles(page)?.into_iter().map(|what| format!("{how}: {what}")));
            let wide = page.run("return document.documentElement.scrollWidth")?;
            if wide.as_u64().is_none_or(|wide| wide > width.into()) {
                wrong.push(format!("{how}: {wide} wide, so it must be moved sideways"));
            }
        }
        page.look(1024, false)?;
        let paper = page.paper()?;
        self.keep(&format!("{name}.pdf"), &paper)?;
        match sheets(&paper) {
            Some(1) => {}
            count => wrong.push(format!("{name}: {count:?} sheets of paper instead of one")),
        }
        Ok(wrong)
    }

    /// What axe-core finds grave, each with the element and what it says.
    pub(crate) fn stumbles(&self, page: &Browser<'_>) -> Done<Vec<String>> {
        let script = format!(
            "const done = arguments[arguments.length - 1];\n{}\n\
             axe.run(document, {{ resultTypes: ['violations'] }}).then(\n\
               (found) => done({{ rules: found.passes.length, violations: found.violations.map((one) => ({{ id: one.id, impact: one.impact,\n\
                 nodes: one.nodes.map((node) => node.html + ' ' + node.failureSummary) }})) }}),\n\
               (error) => done({{ error: String(error) }}));",
            self.axe
        );
        let found = page.run_until_called(&script)?;
        // Where it could not look, or looked at nothing, it has found nothing either.
        if found["rules"].as_u64().is_none_or(|rules| rules < 10) {
            return Err(format!("axe-core did not look: {found}"));
        }
        let grave = |one: &&Value| one["impact"].as_str().is_some_and(|impact| GRAVE.contains(&impact));
        let all = found["violations"].as_array().cloned().unwrap_or_default();
        Ok(all.iter().filter(grave).map(|one| format!("{}: {}", one["id"], one["nodes"])).collect())
    }

    /// Keeps a picture.
    pub(crate) fn keep(&self, name: &str, bytes: &[u8]) -> Done {
        let path = self.pictures.join(name.replace('/', "-"));
        std::fs::write(&path, bytes).map_err(|e| format!("cannot write {}: {e}", path.display()))
    }
}

/// What the console said since this was last asked, and what was asked of anybody but `origin`.
pub(crate) fn strays(page: &Browser<'_>, origin: &str) -> Done<Vec<String>> {
    let mut wrong: Vec<String> =
        page.log("browser")?.iter().map(|line| format!("the console: {}: {}", line["level"], line["message"])).collect();
    for line in page.log("performance")? {
        let event: Value = line["message"].as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        if event["message"]["method"] == "Network.requestWillBeSent" {
            let url = event["message"]["params"]["request"]["url"].as_str().unwrap_or("nowhere");
            if !url.starts_with(origin) && !url.starts_with("data:") {
                wrong.push(format!("asks {url}"));
            }
        }
    }
    Ok(wrong)
}

/// How many sheets a PDF has: its tree of pages counts them.
pub(crate) fn sheets(pdf: &[u8]) -> Option<u32> {
    let text = String::from_utf8_lossy(pdf);
    let tree = text.split("/Type /Pages").nth(1)?;
    let count = tree.split("/Count ").nth(1)?;
    count.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
}

//! Another configuration while it runs.

use crate::log::{incident, incidents, word};
use crate::run::Run;
use crate::site::{CENTRES, Site, until};
use std::fs;

/// One centre or both, in English.
fn config(site: &Site, centres: usize) -> String {
    let named: Vec<(&str, &str)> = ["settlement", "catalogue"].into_iter().zip(CENTRES).take(centres).collect();
    format!("language = \"en\"\n{}", site.config(&named))
}

#[test]
fn a_file_that_is_written_or_replaced_is_taken_and_a_bad_one_is_not() {
    let Some(site) = Site::new() else { return };
    site.write("isonet.toml", &config(&site, 1));
    let mut run = Run::settled(&site);
    // The second centre is dead: that it is watched shows in the log.
    site.cut(CENTRES[1]);
    assert!(incidents(&site).is_empty());

    site.write("isonet.toml", &format!("{}\n[[centre]]\nname = 7\nport = 1\n", config(&site, 2)));
    let (_, status) = run.hears("The configuration on disk is not right");
    println!("{status}");
    assert!(status.starts_with("STATUS=You can settle"), "{status}");
    assert!(until(|| run.log().contains("isonet.toml")), "{}", run.log());
    assert!(incidents(&site).is_empty(), "the old one stays in force");

    // As editors and package managers do it.
    site.write("next", &config(&site, 2));
    fs::rename(site.path("next"), site.path("isonet.toml")).unwrap();
    let opened = incident(&site, "the second centre's", |record| word(record, "/incident/phase") == "opened");
    assert_eq!(word(&opened, "/incident/fingerprint"), "disconnection:catalogue", "{opened}");
    let (_, status) = run.hears("STATUS=");
    assert!(!status.contains("not right"), "the good file is the last word: {status}");

    site.write("isonet.toml", &config(&site, 1));
    let resolved = incident(&site, "its end", |record| word(record, "/incident/phase") == "resolved");
    assert_eq!(word(&resolved, "/incident/resolution"), "not-watched-any-more", "{resolved}");
    assert_eq!(word(&resolved, "/incident/id"), word(&opened, "/incident/id"));
    run.hears("STATUS=You can settle");
    run.stop();
    crate::log::is_sound(&site);
}

#[test]
fn a_refused_file_that_is_put_back_is_not_complained_of_any_more() {
    let Some(site) = Site::new() else { return };
    site.write("isonet.toml", &config(&site, 1));
    let mut run = Run::settled(&site);
    site.write("isonet.toml", "nonsense");
    run.hears("The configuration on disk is not right");
    site.write("isonet.toml", &config(&site, 1));
    let (_, status) = run.hears("STATUS=");
    assert!(!status.contains("not right"), "{status}");
    run.stop();
}

#[test]
fn a_drop_in_is_taken_even_where_its_directory_is_new() {
    let Some(site) = Site::new() else { return };
    site.write("isonet.toml", &config(&site, 1));
    let run = Run::settled(&site);
    site.cut(CENTRES[1]);
    fs::create_dir(site.path("conf.d")).unwrap();
    let second = format!("[[centre]]\nname = \"catalogue\"\nhost = \"{}\"\ntcp = [8080]\n", CENTRES[1]);
    site.write("conf.d/50-second.toml", &second);
    incident(&site, "the second centre's", |record| word(record, "/incident/fingerprint") == "disconnection:catalogue");
    // Its directory was not there when the watch began.
    fs::remove_file(site.path("conf.d/50-second.toml")).unwrap();
    incident(&site, "its end", |record| word(record, "/incident/resolution") == "not-watched-any-more");
    run.stop();
    crate::log::is_sound(&site);
}

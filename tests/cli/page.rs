//! `diagnose --html`: where the page goes, and what is said when it cannot go there.

use crate::ground::Ground;

/// Neither half a page nor something before or after it.
fn assert_page(page: &str) {
    assert!(page.starts_with("<!DOCTYPE html><html") && page.ends_with("</html>\n"), "{page}");
}

#[test]
fn the_page_is_written_beside_the_answer() {
    let Some(ground) = Ground::apart("") else { return };
    ground.write("pages/page.html", "old");
    let file = ground.path("pages/page.html");
    let ran = ground.run(&format!("--lang en diagnose --html {}", file.display()));
    ran.assert_status(20);
    assert!(ran.out.contains("From this PC to the centre") && ran.err.is_empty(), "{ran:?}");
    assert_page(&std::fs::read_to_string(&file).unwrap());
    assert_eq!(std::fs::read_dir(ground.path("pages")).unwrap().count(), 1, "nothing is left beside it");
    ground.run(&format!("diagnose --json --html {}", file.display())).diagnosis();
}

#[test]
fn a_dash_is_standard_output() {
    let Some(ground) = Ground::apart("") else { return };
    let ran = ground.run("diagnose --html -");
    ran.assert_status(20);
    assert_page(&ran.out);
    let both = ground.run("diagnose --html - --json");
    both.assert_status(64);
    assert!(both.out.is_empty() && both.err.contains("--html -"), "{both:?}");
}

#[test]
fn a_page_that_cannot_be_written_is_told_and_the_answer_still_printed() {
    let Some(ground) = Ground::apart("") else { return };
    for file in ["/nonexistent/page.html", "/dev/null", "/"] {
        let ran = ground.run(&format!("diagnose --html {file}"));
        ran.assert_status(74);
        assert!(ran.err.contains(file) && ran.err.contains("cannot write the page") && !ran.out.is_empty(), "{ran:?}");
    }
}

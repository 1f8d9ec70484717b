//! Nothing is shown over a program that fills the screen: dunst as it comes (it would show all), real window managers or none, and windows of every
//! kind that fills a screen or only looks like it.

use crate::desktop::{SOON, Session, can_show, users};
use crate::ground::{Ours, can_stage, wait_for};
use crate::notify::{Played, incident, outage, status, switches};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{AtomEnum, ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask, InputFocus, PropMode, Window};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

/// As large as the screen of [`Session::show`].
const ALL: (u16, u16) = (1024, 768);
/// Longer than a notice waits for a screen that is free.
const LONG: Duration = Duration::from_secs(4);

fn can_fill(programs: &[&str]) -> bool {
    for program in programs {
        if Command::new(program).arg("--version").output().is_err() {
            println!("SKIPPED: `{program}` is not installed");
            return false;
        }
    }
    can_stage() && can_show()
}

/// A program on the display, which reaches neither a network nor the bus.
fn alone(session: &Session, what: &[&str]) -> Ours {
    let mut command = Command::new("unshare");
    command.args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc", "timeout", "300", "setpriv", "--reuid=65534"]);
    command.args(["--regid=65534", "--clear-groups"]).args(what);
    command.env("DISPLAY", display(session)).env("HOME", session.dir.path()).env_remove("DBUS_SESSION_BUS_ADDRESS");
    Ours(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

fn display(session: &Session) -> &str {
    session.display.as_deref().unwrap()
}

fn property(display: &str, words: &[&str]) -> Option<String> {
    let told = Command::new("xprop").args(words).env("DISPLAY", display).output().ok()?;
    Some(String::from_utf8_lossy(&told.stdout).into_owned())
}

/// The window that has the keyboard, as the window manager says.
fn active(display: &str) -> Option<Window> {
    let told = property(display, &["-root", "_NET_ACTIVE_WINDOW"])?;
    let number = told.split_whitespace().find_map(|word| word.strip_prefix("0x"))?.trim_end_matches(',').to_owned();
    u32::from_str_radix(&number, 16).ok()
}

fn window_manager(session: &Session) -> Ours {
    let manager = alone(session, &["openbox"]);
    let ready = || property(display(session), &["-root", "_NET_SUPPORTING_WM_CHECK"])?.contains("0x").then_some(());
    wait_for("a window manager", SOON, ready);
    manager
}

/// Whatever stands there stands for so long.
fn shown_after_a_while(session: &Session) -> usize {
    thread::sleep(LONG);
    session.printed().len()
}

#[test]
fn a_notice_waits_until_a_full_screen_program_has_ended() {
    if !can_fill(&["openbox", "chromium", "xprop"]) {
        return;
    }
    let played = Played::new(&status(true, "intact", &[]));
    let mut session = Session::new();
    session.show();
    let _manager = window_manager(&session);
    let notify = session.notify(&played.config());
    played.wait_for_listener();
    let data = format!("--user-data-dir={}", session.dir.path().join("chromium").display());
    let browser = ["chromium", "--no-sandbox", "--disable-gpu", "--no-first-run", "--kiosk", &data, "about:blank"];
    let program = alone(&session, &browser);
    let is_full = || {
        let window = format!("{:#x}", active(display(&session))?);
        property(display(&session), &["-id", &window, "_NET_WM_STATE"])?.contains("_NET_WM_STATE_FULLSCREEN").then_some(())
    };
    wait_for("a full screen", Duration::from_mins(1), is_full);

    // An outage, its end, another, and a stick.
    played.say(&status(false, "intact", &[outage(1)]));
    assert_eq!(shown_after_a_while(&session), 0, "over the cashier's program: {:?}", session.printed());
    played.say(&status(true, "intact", &[]));
    played.say(&status(false, "intact", &[outage(2), incident(3, "finding", "usb.storage", "low")]));
    // Another program's is shown: it is not dunst that holds ours back.
    other(&session, &played);
    session.wait_for(1, SOON);
    assert_eq!(shown_after_a_while(&session), 1, "{:?}", session.printed());
    let before = switches(&notify);
    thread::sleep(LONG);
    assert_eq!(switches(&notify), before, "it was awake while nothing changed");

    drop(program);
    let told = session.wait_for(2, SOON);
    assert_eq!(told[1].summary, "You cannot settle now");
    assert!(told[1].body.contains("title of usb.storage"), "all that is so now, in one: {told:?}");
    assert_eq!(shown_after_a_while(&session), 2, "{:?}", session.printed());
}

fn other(session: &Session, played: &Played) {
    let mut other = users("busctl", played.dir.path());
    other.arg(format!("--address={}", session.address())).args(["call", "org.freedesktop.Notifications", "/org/freedesktop/Notifications"]);
    other.args(["org.freedesktop.Notifications", "Notify", "susssasa{sv}i", "other", "0", "", "fire", "", "0", "0", "0"]);
    assert!(other.status().unwrap().success());
}

/// Windows of the test's own.
struct Windows {
    x: RustConnection,
    root: Window,
    display: String,
}

impl Windows {
    fn new(session: &Session) -> Self {
        let (x, screen) = x11rb::connect(session.display.as_deref()).unwrap();
        let root = x.setup().roots[screen].root;
        Self { x, root, display: display(session).to_owned() }
    }

    fn atom(&self, name: &str) -> u32 {
        self.x.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom
    }

    /// One of this size, with these properties of atoms and windows.
    fn open(&self, (width, height): (u16, u16), properties: &[(&str, &[u32])]) -> Window {
        let id = self.x.generate_id().unwrap();
        let events = CreateWindowAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
        self.x
            .create_window(0, id, self.root, 0, 0, width, height, 0, x11rb::protocol::xproto::WindowClass::INPUT_OUTPUT, 0, &events)
            .unwrap();
        for (name, words) in properties {
            let kind = if *name == "WM_TRANSIENT_FOR" { AtomEnum::WINDOW } else { AtomEnum::ATOM };
            self.x.change_property32(PropMode::REPLACE, id, self.atom(name), kind, words).unwrap();
        }
        // Neither frame nor title: as programs ask for that fill the screen by themselves.
        let motif = self.atom("_MOTIF_WM_HINTS");
        self.x.change_property32(PropMode::REPLACE, id, motif, motif, &[2, 0, 0, 0, 0]).unwrap();
        self.x.map_window(id).unwrap();
        self.x.sync().unwrap();
        id
    }

    /// Gives it the keyboard, as a pager does.
    fn activate(&self, window: Window) {
        wait_for("the keyboard", SOON, || {
            let ask = ClientMessageEvent::new(32, window, self.atom("_NET_ACTIVE_WINDOW"), [2, 0, 0, 0, 0]);
            let to = EventMask::SUBSTRUCTURE_REDIRECT | EventMask::SUBSTRUCTURE_NOTIFY;
            self.x.send_event(false, self.root, to, ask).unwrap();
            self.x.sync().unwrap();
            (active(&self.display) == Some(window)).then_some(())
        });
    }

    fn close(&self, window: Window) {
        self.x.destroy_window(window).unwrap();
        self.x.sync().unwrap();
    }
}

/// Somebody who is told of an outage that is open, and whether that is shown with the screen as it is.
fn is_told(session: &Session, played: &Played) -> (bool, Ours) {
    let before = (session.printed().len(), played.came());
    let notify = session.notify(&played.config());
    wait_for("a question", SOON, || (played.came() >= before.1 + 2).then_some(()));
    (shown_after_a_while(session) > before.0, notify)
}

#[test]
fn what_fills_the_screen_holds_notices_back_and_what_looks_like_it_does_not() {
    if !can_fill(&["openbox", "xprop"]) {
        return;
    }
    let played = Played::new(&status(false, "intact", &[outage(1)]));
    let mut session = Session::new();
    session.show();
    let _manager = window_manager(&session);
    let windows = Windows::new(&session);
    let atom = |name: &str| windows.atom(name);
    let full = [("_NET_WM_STATE", &[atom("_NET_WM_STATE_FULLSCREEN")][..])];
    let maximized = [atom("_NET_WM_STATE_MAXIMIZED_HORZ"), atom("_NET_WM_STATE_MAXIMIZED_VERT")];
    let desktop = [atom("_NET_WM_WINDOW_TYPE_DESKTOP")];

    let back = windows.open(ALL, &full);
    windows.activate(back);
    let (told, notify) = is_told(&session, &played);
    assert!(!told, "over a full screen");
    // A dialog of the same program has the keyboard.
    let dialog = windows.open((200, 100), &[("WM_TRANSIENT_FOR", &[back])]);
    windows.activate(dialog);
    assert_eq!(shown_after_a_while(&session), 0, "over a full screen with a dialog");
    windows.close(dialog);
    assert_eq!(shown_after_a_while(&session), 0, "the dialog has ended, the program has not");
    // A click beside all windows, on a second screen, gives the keyboard to the desktop.
    let wallpaper = windows.open(ALL, &[("_NET_WM_WINDOW_TYPE", &desktop)]);
    windows.activate(wallpaper);
    assert_eq!(shown_after_a_while(&session), 0, "it is still on top");
    windows.close(wallpaper);
    // Another program is worked in.
    let front = windows.open((300, 200), &[]);
    windows.activate(front);
    session.wait_for(1, SOON);
    drop(notify);
    assert!(is_told(&session, &played).0, "what is behind covers nothing");
    windows.close(back);

    let told_over = |name: &str, properties: &[(&str, &[u32])]| {
        let window = windows.open(ALL, properties);
        windows.activate(window);
        let told = is_told(&session, &played).0;
        windows.close(window);
        println!("{name}: {told}");
        told
    };
    assert!(!told_over("without a frame, as large as the screen", &[]));
    assert!(told_over("maximized", &[("_NET_WM_STATE", &maximized)]));
    assert!(told_over("the desktop itself", &[("_NET_WM_WINDOW_TYPE", &desktop)]));
}

#[test]
fn without_a_window_manager_what_has_the_keyboard_and_is_as_large_as_the_screen_fills_it() {
    if !can_fill(&["xprop"]) {
        return;
    }
    let played = Played::new(&status(false, "intact", &[outage(1)]));
    let mut session = Session::new();
    session.show();
    let windows = Windows::new(&session);
    let focus = |window: Window| {
        windows.x.set_input_focus(InputFocus::PARENT, window, x11rb::CURRENT_TIME).unwrap();
        windows.x.sync().unwrap();
    };
    let small = windows.open((300, 200), &[]);
    focus(small);
    assert!(is_told(&session, &played).0, "a small one");
    let large = windows.open(ALL, &[]);
    focus(large);
    let (told, _notify) = is_told(&session, &played);
    assert!(!told, "over a large one");
    let before = session.printed().len();
    windows.close(large);
    session.wait_for(before + 1, SOON);
}

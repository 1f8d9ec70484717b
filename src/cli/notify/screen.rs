//! Whether the program that has the keyboard fills the screen, as the X server tells (Extended Window Manager Hints 1.5). Programs that speak
//! Wayland alone cannot be asked about: over those the desktop's own rules decide.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as Socket;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout_at};
use x11rb::atom_manager;
use x11rb::connection::{Connection, RequestConnection};
use x11rb::errors::{ConnectionError, ReplyError};
use x11rb::protocol::randr::{self, ConnectionExt as _};
use x11rb::protocol::xproto::{Atom, AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, EventMask, Window};
use x11rb::rust_connection::RustConnection;

/// While windows open and close, none has the keyboard for a moment.
const SETTLED: Duration = Duration::from_secs(1);
/// Dialogs of dialogs that are followed up to the window they belong to.
const DIALOGS: usize = 8;
/// Words of a property that are read: of all windows there are, those of many.
const WORDS: u32 = 1024;
/// Where a window is that is on each of the user's desktops.
const ALL_DESKTOPS: u32 = u32::MAX;

atom_manager! {
    #[allow(clippy::struct_field_names, reason = "they are the atoms' names")]
    Atoms: AtomsCookie {
        _NET_ACTIVE_WINDOW,
        _NET_CLIENT_LIST_STACKING,
        _NET_CURRENT_DESKTOP,
        _NET_WM_DESKTOP,
        _NET_WM_STATE,
        _NET_WM_STATE_FULLSCREEN,
        _NET_WM_STATE_HIDDEN,
        _NET_WM_STATE_MAXIMIZED_HORZ,
        _NET_WM_STATE_MAXIMIZED_VERT,
        _NET_WM_WINDOW_TYPE,
        _NET_WM_WINDOW_TYPE_DESKTOP,
        _NET_WM_WINDOW_TYPE_DOCK,
    }
}

/// What the user sees.
pub(super) struct Screen {
    /// `None` = nobody can be asked, so nothing is held back.
    server: Option<Server>,
    /// Since when nothing fills it; `None` = something does.
    free_since: Option<Instant>,
}

impl Screen {
    /// Begins to look. Without an X server on this PC the screen counts as free.
    pub(super) fn open() -> Self {
        let server = Server::connect().map_err(|error| tracing::info!("the screen is not looked at: {error}")).ok().flatten();
        Self { server, free_since: None }
    }

    /// Ends once nothing has filled the screen for a moment. Waits without waking up but for changes of windows; may be dropped and called anew.
    pub(super) async fn clear(&mut self) {
        while let Some(server) = &self.server {
            let Ok(full) = server.is_full() else { break };
            self.free_since = if full { None } else { self.free_since.or_else(|| Some(Instant::now())) };
            let change = server.change();
            let changed = match self.free_since.map(|since| since + SETTLED) {
                Some(settled) => match timeout_at(settled, change).await {
                    Ok(changed) => changed,
                    Err(_) => return,
                },
                None => change.await,
            };
            if changed.is_err() {
                break;
            }
        }
        // It went away, and with it what was on it.
        self.server = None;
    }
}

/// An X server of this PC.
struct Server {
    x: RustConnection,
    /// The same socket, to wait at.
    wire: UnixStream,
    root: Window,
    atoms: Atoms,
    has_monitors: bool,
    /// Where nothing of its has the keyboard, a window has that it does not know of.
    beside_wayland: bool,
}

/// A rectangle on the screen, px.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Area {
    x: i32,
    y: i32,
    width: i32,
    height: i32,
}

impl Area {
    fn new(x: i16, y: i16, width: u16, height: u16) -> Self {
        Self { x: x.into(), y: y.into(), width: width.into(), height: height.into() }
    }

    fn covers(self, other: Self) -> bool {
        self.x <= other.x
            && self.y <= other.y
            && self.x + self.width >= other.x + other.width
            && self.y + self.height >= other.y + other.height
    }
}

/// What it says of itself; the first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Hidden,
    FullScreen,
    Maximized,
    Plain,
}

/// What there is to know of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Looks {
    state: State,
    /// The desktop itself, or a panel.
    furniture: bool,
    area: Area,
}

impl Looks {
    /// Programs that do not know of full screens make a window as large as one. A maximized window is what people work in, whatever it leaves free.
    fn fills(self, monitors: &[Area]) -> bool {
        match self.state {
            State::FullScreen => true,
            State::Plain => !self.furniture && monitors.iter().any(|monitor| self.area.covers(*monitor)),
            State::Maximized | State::Hidden => false,
        }
    }
}

/// What a window was asked, if it is still there.
fn there<T>(told: Result<T, ReplyError>) -> Result<Option<T>, ConnectionError> {
    match told {
        Ok(told) => Ok(Some(told)),
        Err(ReplyError::X11Error(_)) => Ok(None),
        Err(ReplyError::ConnectionError(error)) => Err(error),
    }
}

impl Server {
    /// `None` = this session has none, or one of another PC.
    fn connect() -> Result<Option<Self>, Box<dyn std::error::Error>> {
        let Some(display) = std::env::var("DISPLAY").ok().filter(|display| display.starts_with(':') || display.starts_with("unix:")) else {
            return Ok(None);
        };
        let (x, screen) = x11rb::connect(Some(&display))?;
        let root = x.setup().roots.get(screen).ok_or("no screen")?.root;
        let atoms = Atoms::new(&x)?.reply()?;
        let has_monitors = x.extension_information(randr::X11_EXTENSION_NAME)?.is_some() && {
            let version = x.randr_query_version(1, 5)?.reply()?;
            (version.major_version, version.minor_version) >= (1, 5)
        };
        let wire = UnixStream::from_std(Socket::from(x.stream().as_fd().try_clone_to_owned()?))?;
        let beside_wayland = std::env::var_os("WAYLAND_DISPLAY").is_some_and(|name| !name.is_empty());
        let server = Self { x, wire, root, atoms, has_monitors, beside_wayland };
        server.hear(root, EventMask::PROPERTY_CHANGE)?;
        Ok(Some(server))
    }

    fn hear(&self, window: Window, what: EventMask) -> Result<(), ConnectionError> {
        self.x.change_window_attributes(window, &ChangeWindowAttributesAux::new().event_mask(what))?.ignore_error();
        Ok(())
    }

    /// Whether the window that is worked in, or the one it is a dialog of, fills a monitor. Its changes are heard from then on.
    fn is_full(&self) -> Result<bool, ConnectionError> {
        let monitors = self.monitors()?;
        let mut window = self.worked_in()?;
        let mut full = false;
        for _ in 0..DIALOGS {
            let Some(this) = window.filter(|_| !full) else { break };
            self.hear(this, EventMask::PROPERTY_CHANGE | EventMask::STRUCTURE_NOTIFY | EventMask::FOCUS_CHANGE)?;
            full = self.looks(this)?.is_some_and(|looks| looks.fills(&monitors));
            window = self.words(this, AtomEnum::WM_TRANSIENT_FOR.into())?.and_then(|words| named(&words));
        }
        self.x.flush()?;
        Ok(full)
    }

    /// What the window manager says has the keyboard; where that is nothing, or the desktop, what lies on top. Without a window manager, what the
    /// server says.
    fn worked_in(&self) -> Result<Option<Window>, ConnectionError> {
        let Some(active) = self.words(self.root, self.atoms._NET_ACTIVE_WINDOW)? else { return self.focus() };
        let active = named(&active);
        if self.beside_wayland {
            return Ok(active);
        }
        if let Some(window) = active
            && self.looks(window)?.is_some_and(|looks| !looks.furniture)
        {
            return Ok(active);
        }
        let stacked = self.words(self.root, self.atoms._NET_CLIENT_LIST_STACKING)?.unwrap_or_default();
        let current = self.words(self.root, self.atoms._NET_CURRENT_DESKTOP)?.unwrap_or_default();
        for window in stacked.into_iter().rev() {
            let desktop = self.words(window, self.atoms._NET_WM_DESKTOP)?.unwrap_or_default();
            let is_here = desktop.is_empty() || desktop == [ALL_DESKTOPS] || desktop == current;
            if is_here && self.looks(window)?.is_some_and(|looks| !looks.furniture && looks.state != State::Hidden) {
                return Ok(Some(window));
            }
        }
        Ok(None)
    }

    /// The window of the program that the server gives keys to.
    fn focus(&self) -> Result<Option<Window>, ConnectionError> {
        let Some(focus) = there(self.x.get_input_focus()?.reply())? else { return Ok(None) };
        let mut window = focus.focus;
        // 0 and 1 are no windows.
        while window > 1 && window != self.root {
            match there(self.x.query_tree(window)?.reply())? {
                Some(tree) if tree.parent == self.root => return Ok(Some(window)),
                Some(tree) => window = tree.parent,
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// `None` = it is not there any more.
    fn looks(&self, window: Window) -> Result<Option<Looks>, ConnectionError> {
        let says = self.words(window, self.atoms._NET_WM_STATE)?.unwrap_or_default();
        let kind = self.words(window, self.atoms._NET_WM_WINDOW_TYPE)?.unwrap_or_default();
        let Some(size) = there(self.x.get_geometry(window)?.reply())? else { return Ok(None) };
        let Some(at) = there(self.x.translate_coordinates(window, self.root, 0, 0)?.reply())? else { return Ok(None) };
        let is = |atom: Atom| says.contains(&atom);
        let state = if is(self.atoms._NET_WM_STATE_HIDDEN) {
            State::Hidden
        } else if is(self.atoms._NET_WM_STATE_FULLSCREEN) {
            State::FullScreen
        } else if is(self.atoms._NET_WM_STATE_MAXIMIZED_HORZ) && is(self.atoms._NET_WM_STATE_MAXIMIZED_VERT) {
            State::Maximized
        } else {
            State::Plain
        };
        Ok(Some(Looks {
            state,
            furniture: kind.contains(&self.atoms._NET_WM_WINDOW_TYPE_DESKTOP) || kind.contains(&self.atoms._NET_WM_WINDOW_TYPE_DOCK),
            area: Area::new(at.dst_x, at.dst_y, size.width, size.height),
        }))
    }

    fn monitors(&self) -> Result<Vec<Area>, ConnectionError> {
        if self.has_monitors
            && let Some(told) = there(self.x.randr_get_monitors(self.root, true)?.reply())?
            && !told.monitors.is_empty()
        {
            return Ok(told.monitors.iter().map(|it| Area::new(it.x, it.y, it.width, it.height)).collect());
        }
        let whole = there(self.x.get_geometry(self.root)?.reply())?;
        Ok(whole.into_iter().map(|it| Area::new(0, 0, it.width, it.height)).collect())
    }

    /// A property of 32-bit words; `None` = it has none of the name, or is not there.
    fn words(&self, window: Window, name: Atom) -> Result<Option<Vec<u32>>, ConnectionError> {
        let told = there(self.x.get_property(false, window, name, AtomEnum::ANY, 0, WORDS)?.reply())?;
        Ok(told.and_then(|told| Some(told.value32()?.collect())))
    }

    /// Waits for any change of what is heard.
    async fn change(&self) -> Result<(), ConnectionError> {
        // What came along with an answer is not on the wire any more.
        while !self.take_all()? {
            self.wire.readable().await?;
            // Everything is read by the connection: until more comes, there is nothing.
            let taken = self.wire.try_io(Interest::READABLE, || match self.take_all() {
                Ok(false) => Err(io::ErrorKind::WouldBlock.into()),
                taken => Ok(taken),
            });
            match taken {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn take_all(&self) -> Result<bool, ConnectionError> {
        let mut any = false;
        while self.x.poll_for_event()?.is_some() {
            any = true;
        }
        Ok(any)
    }
}

/// The window that a property names.
fn named(words: &[u32]) -> Option<Window> {
    words.first().copied().filter(|window| *window != x11rb::NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEFT: Area = Area { x: 0, y: 0, width: 1024, height: 768 };
    const RIGHT: Area = Area { x: 1024, y: 0, width: 1280, height: 1024 };

    fn window(area: Area) -> Looks {
        Looks { state: State::Plain, furniture: false, area }
    }

    fn fills(looks: Looks) -> bool {
        looks.fills(&[LEFT, RIGHT])
    }

    #[test]
    fn a_window_fills_the_screen_by_its_word_or_by_its_size() {
        let small = window(Area { x: 10, y: 10, width: 300, height: 200 });
        assert!(!fills(small));
        assert!(fills(Looks { state: State::FullScreen, ..small }));
        assert!(fills(window(LEFT)) && fills(window(RIGHT)));
        assert!(fills(window(Area { x: -4, y: -4, width: 1032, height: 776 })), "borders outside");
        assert!(fills(window(Area { x: 0, y: 0, width: 2304, height: 1024 })), "both");
    }

    #[test]
    fn what_only_looks_like_it_does_not() {
        assert!(!fills(Looks { state: State::Hidden, ..window(LEFT) }), "put away");
        assert!(!fills(Looks { state: State::Maximized, ..window(LEFT) }), "people work in it");
        assert!(!fills(Looks { furniture: true, ..window(LEFT) }), "the desktop itself");
        assert!(!fills(window(Area { height: 740, ..LEFT })), "a panel is free");
        assert!(!fills(window(Area { x: 512, ..LEFT })), "across two monitors");
        assert!(!window(LEFT).fills(&[]));
    }
}

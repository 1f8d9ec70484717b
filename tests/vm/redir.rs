//! Devices at USB that are made of nothing but descriptors: QEMU asks over a socket what the PC asks of the device (usbredir), and this answers.
//!
//! Whatever is sold can so be plugged in: printers, telephones that only charge, readers with a slot for others. An interface for storage has
//! a drive behind it, with a medium or without.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};

use serde_json::json;

use crate::Done;
use crate::daemon::Ground;

/// What an interface says of itself: class, subclass, protocol, and its name.
pub(crate) type Face = ([u8; 3], &'static str);

/// A device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gadget {
    pub(crate) name: &'static str,
    pub(crate) serial: &'static str,
    /// 0 = each interface says its own.
    pub(crate) class: u8,
    pub(crate) faces: &'static [Face],
    /// Sectors of the medium in its drive.
    pub(crate) sectors: Option<u32>,
}

/// The class of storage, which has two endpoints.
const STORAGE: u8 = 8;
const IN: u8 = 0x81;
const OUT: u8 = 0x02;
/// Vendor, product and version.
const IDS: [u16; 3] = [0x1209, 1, 0x0100];
/// Full descriptions of devices and endpoints, long names of packets, and long transfers.
const CAPABILITIES: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6;
const STALL: u8 = 4;

/// Names of packets.
mod kind {
    pub(super) const HELLO: u32 = 0;
    pub(super) const DEVICE: u32 = 1;
    pub(super) const INTERFACES: u32 = 4;
    pub(super) const ENDPOINTS: u32 = 5;
    pub(super) const SET_CONFIGURATION: u32 = 6;
    pub(super) const GET_CONFIGURATION: u32 = 7;
    pub(super) const CONFIGURATION: u32 = 8;
    pub(super) const SET_ALTERNATE: u32 = 9;
    pub(super) const GET_ALTERNATE: u32 = 10;
    pub(super) const ALTERNATE: u32 = 11;
    pub(super) const CONTROL: u32 = 100;
    pub(super) const BULK: u32 = 101;
}

/// Plugs it in; gives the id to unplug it by.
pub(crate) fn plug(ground: &mut Ground<'_>, gadget: Gadget) -> Done<String> {
    let path = ground.pc.beside(gadget.name);
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).map_err(|e| format!("cannot be a device: {e}"))?;
    // One of this name that a case left behind.
    let _ = ground.pc.monitor("chardev-remove", &json!({ "id": gadget.name }));
    let socket = json!({ "addr": { "type": "unix", "data": { "path": path } }, "server": false });
    ground.pc.monitor("chardev-add", &json!({ "id": gadget.name, "backend": { "type": "socket", "data": socket } }))?;
    // It ends with the connection.
    std::thread::spawn(move || listener.accept().ok().and_then(|(stream, _)| Device::new(gadget, stream).serve()));
    ground.pc.plug("usb-redir", json!({ "chardev": gadget.name }))
}

struct Device {
    gadget: Gadget,
    stream: UnixStream,
    drive: Drive,
}

impl Device {
    fn new(gadget: Gadget, stream: UnixStream) -> Device {
        Device { gadget, stream, drive: Drive { sectors: gadget.sectors, ..Drive::default() } }
    }

    /// `None` = the connection ended.
    fn serve(mut self) -> Option<()> {
        let mut hello = vec![0; 64];
        hello[..6].copy_from_slice(b"isonet");
        hello.extend(CAPABILITIES.to_le_bytes());
        // What was agreed on holds from the next packet on.
        self.stream.write_all(&[&[kind::HELLO, 68, 0].map(u32::to_le_bytes).concat()[..], &hello].concat()).ok()?;
        self.stream.read_exact(&mut [0; 12 + 68]).ok()?;
        let [interfaces, endpoints] = [self.interfaces(), self.endpoints()];
        self.send(kind::INTERFACES, [0; 8], &interfaces)?;
        self.send(kind::ENDPOINTS, [0; 8], &endpoints)?;
        let mut device = vec![2, self.gadget.class, 0, 0];
        device.extend(IDS.map(u16::to_le_bytes).concat());
        self.send(kind::DEVICE, [0; 8], &device)?;
        loop {
            let mut head = [0; 8];
            let mut id = [0; 8];
            self.stream.read_exact(&mut head).ok()?;
            self.stream.read_exact(&mut id).ok()?;
            let [kind, length] = [0, 4].map(|at| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
            let mut body = vec![0; usize::try_from(length).ok()?];
            self.stream.read_exact(&mut body).ok()?;
            self.answer(kind, id, &body)?;
        }
    }

    fn send(&mut self, kind: u32, id: [u8; 8], body: &[u8]) -> Option<()> {
        let mut packet = [kind, u32::try_from(body.len()).ok()?].map(u32::to_le_bytes).concat();
        packet.extend(id);
        packet.extend(body);
        self.stream.write_all(&packet).ok()
    }

    fn answer(&mut self, kind: u32, id: [u8; 8], body: &[u8]) -> Option<()> {
        match kind {
            kind::SET_CONFIGURATION | kind::GET_CONFIGURATION => self.send(kind::CONFIGURATION, id, &[0, 1]),
            kind::SET_ALTERNATE | kind::GET_ALTERNATE => self.send(kind::ALTERNATE, id, &[0, *body.first()?, 0]),
            kind::CONTROL => {
                let answer = control(&self.gadget, body.get(..10)?);
                self.send(kind::CONTROL, id, &answer)
            }
            kind::BULK => {
                let (head, data) = body.split_at_checked(10)?;
                let length =
                    usize::from(u16::from_le_bytes([head[2], head[3]])) | usize::from(u16::from_le_bytes([head[8], head[9]])) << 16;
                let given = if head[0] == IN { self.drive.give(length) } else { self.drive.take(data) };
                let told = if head[0] == IN { given.len() } else { length };
                let mut answer = head.to_vec();
                answer[1] = 0;
                answer[2..4].copy_from_slice(&told.to_le_bytes()[..2]);
                answer[8..10].copy_from_slice(&told.to_le_bytes()[2..4]);
                answer.extend(given);
                self.send(kind::BULK, id, &answer)
            }
            // What is reset or taken back was answered at once.
            _ => Some(()),
        }
    }

    fn interfaces(&self) -> Vec<u8> {
        let faces = self.gadget.faces;
        let mut body = u32::try_from(faces.len()).unwrap_or(0).to_le_bytes().to_vec();
        let mut column = |of: &dyn Fn(usize) -> u8| body.extend((0..32).map(|at| if at < faces.len() { of(at) } else { 0 }));
        column(&|at| u8::try_from(at).unwrap_or(0));
        for part in 0..3 {
            column(&|at| faces[at].0[part]);
        }
        body
    }

    /// By number; those that send to the PC are the second half.
    fn endpoints(&self) -> Vec<u8> {
        let drive = self.gadget.faces.iter().position(|face| face.0[0] == STORAGE);
        let mut kinds = [255_u8; 32];
        let mut faces = [0_u8; 32];
        let mut sizes = [0_u16; 32];
        for at in [0, 16] {
            (kinds[at], sizes[at]) = (0, 64);
        }
        for at in [usize::from(OUT), 16 + usize::from(IN & 15)].into_iter().filter(|_| drive.is_some()) {
            (kinds[at], sizes[at], faces[at]) = (2, 512, drive.and_then(|face| u8::try_from(face).ok()).unwrap_or(0));
        }
        let mut body = kinds.to_vec();
        body.extend([0; 32]);
        body.extend(faces);
        body.extend(sizes.iter().flat_map(|size| size.to_le_bytes()));
        body
    }
}

/// The answer to a question at the control endpoint: endpoint, request, its kind, status, value, index, length.
fn control(gadget: &Gadget, asked: &[u8]) -> Vec<u8> {
    let (request, kind, value) = (asked[1], asked[2], u16::from_le_bytes([asked[4], asked[5]]));
    let wanted = usize::from(u16::from_le_bytes([asked[8], asked[9]]));
    let data = match (kind, request) {
        (0x80, 6) => descriptor(gadget, value),
        // How many drives there are, less one.
        (0xa1, 0xfe) => Some(vec![0]),
        (0x80..=0x82, 0) => Some(vec![0, 0]),
        (kind, _) if kind & 0x80 == 0 => Some(Vec::new()),
        _ => None,
    };
    let mut answer = asked.to_vec();
    answer[3] = if data.is_some() { 0 } else { STALL };
    let mut data = data.unwrap_or_default();
    data.truncate(wanted);
    answer[8..10].copy_from_slice(&data.len().to_le_bytes()[..2]);
    answer.extend(data);
    answer
}

fn descriptor(gadget: &Gadget, which: u16) -> Option<Vec<u8>> {
    let [index, kind] = which.to_le_bytes();
    match kind {
        1 => {
            let mut bytes = vec![18, 1, 0, 2, gadget.class, 0, 0, 64];
            bytes.extend(IDS.map(u16::to_le_bytes).concat());
            bytes.extend([1, 2, if gadget.serial.is_empty() { 0 } else { 3 }, 1]);
            Some(bytes)
        }
        2 => Some(configuration(gadget)),
        3 if index == 0 => Some(vec![4, 3, 9, 4]),
        3 => {
            let names = ["isonet", gadget.name, gadget.serial].into_iter().chain(gadget.faces.iter().map(|face| face.1));
            let name: Vec<u8> = names.skip(usize::from(index) - 1).take(1).flat_map(str::encode_utf16).flat_map(u16::to_le_bytes).collect();
            Some([&[u8::try_from(name.len() + 2).ok()?, 3][..], &name].concat())
        }
        _ => None,
    }
}

fn configuration(gadget: &Gadget) -> Vec<u8> {
    let mut body = Vec::new();
    for (number, ([class, subclass, protocol], label)) in (0_u8..).zip(gadget.faces) {
        let ends: &[u8] = if *class == STORAGE { &[IN, OUT] } else { &[] };
        let label = if label.is_empty() { 0 } else { number + 4 };
        body.extend([9, 4, number, 0, u8::try_from(ends.len()).unwrap_or(0), *class, *subclass, *protocol, label]);
        for end in ends {
            body.extend([7, 5, *end, 2, 0, 2, 0]);
        }
    }
    let length = u16::try_from(body.len() + 9).unwrap_or(u16::MAX).to_le_bytes();
    let mut bytes = vec![9, 2, length[0], length[1], u8::try_from(gadget.faces.len()).unwrap_or(0), 1, 0, 0x80, 50];
    bytes.extend(body);
    bytes
}

/// A drive that is asked by the bulk-only transport: a command, its data, a status.
#[derive(Debug, Default)]
struct Drive {
    sectors: Option<u32>,
    /// What the PC is to be given: bytes, and one after the other.
    next: VecDeque<Vec<u8>>,
    /// Bytes that are yet to come, and what is said when they came.
    coming: usize,
    status: Vec<u8>,
}

impl Drive {
    fn give(&mut self, wanted: usize) -> Vec<u8> {
        let Some(mut bytes) = self.next.pop_front() else { return Vec::new() };
        let rest = bytes.split_off(bytes.len().min(wanted));
        if !rest.is_empty() {
            self.next.push_front(rest);
        }
        bytes
    }

    fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.coming > 0 {
            self.coming = self.coming.saturating_sub(bytes.len());
        } else if let Some(command) = bytes.get(..31).filter(|bytes| bytes.starts_with(b"USBC")) {
            self.command(command);
        }
        if self.coming == 0 && !self.status.is_empty() {
            let status = std::mem::take(&mut self.status);
            self.next.push_back(status);
        }
        Vec::new()
    }

    fn command(&mut self, command: &[u8]) {
        self.next.clear();
        let length = u32::from_le_bytes([command[8], command[9], command[10], command[11]]);
        let done = self.done(command[15], usize::try_from(length).unwrap_or(0));
        let mut status = b"USBS".to_vec();
        status.extend(&command[4..8]);
        status.extend([0; 4]);
        status.push(u8::from(done.is_none()));
        self.status = status;
        if length > 0 && command[12] & 0x80 != 0 {
            self.next.push_back(done.unwrap_or_default());
        } else {
            self.coming = usize::try_from(length).unwrap_or(0);
        }
    }

    /// What a command brings; `None` = it fails.
    fn done(&self, command: u8, wanted: usize) -> Option<Vec<u8>> {
        let mut data = match command {
            // Who are you: a disk whose medium can be changed.
            0x12 => [&[0, 0x80, 4, 2, 31, 0, 0, 0][..], b"isonet  gadget          0001"].concat(),
            // What failed: no medium, if anything.
            0x03 if self.sectors.is_none() => vec![0x70, 0, 2, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x3a, 0, 0, 0, 0, 0],
            0x03 => vec![0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0],
            0x1a => vec![3, 0, 0, 0],
            0x1e | 0x35 => Vec::new(),
            0x00 => self.sectors.map(|_| Vec::new())?,
            0x25 => [(self.sectors? - 1).to_be_bytes(), 512_u32.to_be_bytes()].concat(),
            0x28 => self.sectors.map(|_| vec![0; wanted])?,
            _ => return None,
        };
        data.truncate(wanted);
        Some(data)
    }
}

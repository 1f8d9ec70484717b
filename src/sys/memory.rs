//! Memory that is not needed for a while goes back to the system. A round needs a megabyte and nearly all of the program's code for three
//! seconds every five minutes; the pulses between need little of either, and would hold both all day.
//!
//! What is let go of is only what can be had again: free pieces of the heap, and the program's own code, which stays in the page cache as long
//! as nobody else needs the room. (A debugger's breakpoints go with the code.)

#![allow(unsafe_code, reason = "mallopt, malloc_trim and madvise have no safe wrapper")]

use std::ops::Range;

/// One heap for all threads, instead of one each: they are few and seldom at work at the same time. Before the first of them.
pub fn frugal() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the call takes two numbers and moves nothing that is in use.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Lets go of what a round leaves behind.
pub fn let_go() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the call takes a number, may be made at any time from any thread, and moves nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
    // Without /proc it is kept, that is all.
    let (Ok(program), Ok(maps)) = (std::fs::read_link("/proc/self/exe"), std::fs::read_to_string("/proc/self/maps")) else { return };
    for range in unwritten(&maps, &program.to_string_lossy()) {
        // SAFETY: the range is a private mapping of a file that this process cannot write to and never relocates, so that the next access
        // finds the same bytes again.
        unsafe { libc::madvise(range.start as *mut libc::c_void, range.len(), libc::MADV_DONTNEED) };
    }
    let here = 0_u8;
    if let Some(range) = beyond(&maps, (&raw const here).addr()) {
        // SAFETY: the range is part of this thread's own stack and lies below every frame in use, with room for those that are still to
        // come: nothing in it is alive, and nothing will be before it has been written anew.
        unsafe { libc::madvise(range.start as *mut libc::c_void, range.len(), libc::MADV_DONTNEED) };
    }
}

/// Stack that is kept below the frame that asks: for the calls under way, and a good deal of those to come.
const KEPT: usize = 64 * 1024;
/// No machine has larger pages for a stack.
const PAGE: usize = 64 * 1024;

/// What the main thread's stack had to grow to, below the frame at `here`; `None` where that is no frame of the main thread.
fn beyond(maps: &str, here: usize) -> Option<Range<usize>> {
    let line = maps.lines().find(|line| line.ends_with("[stack]"))?;
    let (from, to) = line.split(' ').next()?.split_once('-')?;
    let (from, to) = (usize::from_str_radix(from, 16).ok()?, usize::from_str_radix(to, 16).ok()?);
    let end = here.checked_sub(KEPT)? / PAGE * PAGE;
    ((from..to).contains(&here) && from < end).then_some(from..end)
}

/// Where the pages of a program are that are as in its file: code, and the constants before it. Not what the loader wrote to and then made
/// read-only, which is mapped from further on in the file.
fn unwritten(maps: &str, program: &str) -> Vec<Range<usize>> {
    let range = |line: &str| {
        let mut words = line.splitn(6, ' ');
        let (span, rights, offset) = (words.next()?, words.next()?, words.next()?);
        let file = words.nth(2)?.trim_start();
        let constant = rights == "r--p" && usize::from_str_radix(offset, 16).ok()? == 0;
        (file == program && (rights == "r-xp" || constant)).then_some(())?;
        let (from, to) = span.split_once('-')?;
        Some(usize::from_str_radix(from, 16).ok()?..usize::from_str_radix(to, 16).ok()?)
    };
    maps.lines().filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
55d0a0000000-55d0a01fc000 r--p 00000000 fe:00 131  /usr/bin/isonet
55d0a01fc000-55d0a07da000 r-xp 001fb000 fe:00 131  /usr/bin/isonet
55d0a07da000-55d0a0806000 r--p 007d9000 fe:00 131  /usr/bin/isonet
55d0a0806000-55d0a080a000 rw-p 00805000 fe:00 131  /usr/bin/isonet
7f2b30000000-7f2b30021000 rw-p 00000000 00:00 0 \n\
7f2b40000000-7f2b40026000 r-xp 00000000 fe:00 77   /usr/lib/libc.so.6
7ffc10000000-7ffc10050000 rw-p 00000000 00:00 0                          [stack]
garbage
";

    #[test]
    fn only_code_and_constants_of_the_program_are_let_go() {
        let found = unwritten(MAPS, "/usr/bin/isonet");
        assert_eq!(found, [0x55d0_a000_0000..0x55d0_a01f_c000, 0x55d0_a01f_c000..0x55d0_a07d_a000]);
        assert!(unwritten(MAPS, "/usr/bin/other").is_empty());
    }

    #[test]
    fn of_the_stack_only_what_lies_well_below_is_let_go() {
        assert_eq!(beyond(MAPS, 0x7ffc_1004_f000), Some(0x7ffc_1000_0000..0x7ffc_1003_0000));
        assert_eq!(beyond(MAPS, 0x7ffc_1001_8000), None, "it has not grown");
        assert_eq!(beyond(MAPS, 0x7f2b_3000_1000), None, "another thread's");
    }

    #[test]
    fn the_program_goes_on_as_before() {
        let before: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let_go();
        assert_eq!(before.len(), 100);
        assert!(before.iter().enumerate().all(|(n, text)| *text == n.to_string()));
    }
}

//! Which records may have been sent before. Pure.

/// Counts sendings from the cursor on. It may count too many, never too few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    /// Nothing was taken in this run: an earlier one may have sent any of these.
    earlier: bool,
    /// So many after the cursor were sent in this run.
    longest: usize,
    /// How often, by either.
    sendings: u32,
}

impl Marks {
    /// Of a run that begins.
    pub fn new() -> Self {
        Self { earlier: true, longest: 0, sendings: 1 }
    }

    /// If this record of a batch is sent now: for the how manieth time, from 1.
    pub fn sending(self, index: usize) -> u32 {
        if self.earlier || index < self.longest { self.sendings.saturating_add(1) } else { 1 }
    }

    /// A batch of so many is about to be sent.
    pub fn sent(&mut self, records: usize) {
        if records > 0 {
            self.longest = self.longest.max(records);
            self.sendings = self.sendings.saturating_add(1);
        }
    }

    /// So many of a batch of so many were taken. What comes after the batch was sent only where an earlier attempt was longer.
    pub fn taken(&mut self, records: usize, of: usize) {
        if records > 0 {
            self.earlier &= records < of;
            self.longest = self.longest.saturating_sub(records);
            if self.longest == 0 {
                self.sendings = u32::from(self.earlier);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(marks: Marks, records: usize) -> Vec<u32> {
        (0..records).map(|index| marks.sending(index)).collect()
    }

    #[test]
    fn the_first_batch_of_a_run_may_have_been_sent_by_the_one_before() {
        let mut marks = Marks::new();
        marks.sent(0);
        marks.taken(0, 0);
        assert_eq!(told(marks, 2), [2, 2], "a sign of life is no record");
        marks.sent(2);
        marks.taken(2, 2);
        assert_eq!(told(marks, 2), [1, 1]);
    }

    #[test]
    fn what_was_not_acknowledged_counts_and_what_comes_new_does_not() {
        let mut marks = Marks::new();
        marks.sent(1);
        marks.taken(1, 1);
        marks.sent(2);
        marks.sent(3);
        assert_eq!(told(marks, 4), [3, 3, 3, 1]);
        marks.sent(1);
        marks.taken(1, 1);
        assert_eq!(told(marks, 3), [4, 4, 1], "the rest of the longest");
        marks.sent(3);
        marks.taken(3, 3);
        assert_eq!(told(marks, 1), [1]);
    }
}

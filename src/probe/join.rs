//! Several looks at once on one thread, without a task for each: what is dropped with the round is gone.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// Runs all `futures` to their end, side by side. Each wake-up polls all that still run, so this is for a handful.
pub(super) async fn join_all<F: Future<Output = ()>>(futures: impl IntoIterator<Item = F>) {
    let mut running: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    poll_fn(move |cx| {
        running.retain_mut(|future| future.as_mut().poll(cx).is_pending());
        if running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::join_all;
    use std::cell::Cell;
    use std::time::Duration;
    use tokio::time::{Instant, sleep};

    #[tokio::test(start_paused = true)]
    async fn all_run_at_once_and_all_end() {
        let ended = Cell::new(0);
        let begun = Instant::now();
        join_all((1..=3).map(|seconds| {
            let ended = &ended;
            async move {
                sleep(Duration::from_secs(seconds)).await;
                ended.set(ended.get() + 1);
            }
        }))
        .await;
        assert_eq!((ended.get(), begun.elapsed().as_secs()), (3, 3));
        join_all(std::iter::empty::<std::future::Ready<()>>()).await;
    }
}

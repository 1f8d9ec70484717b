//! Is an address alive, and if it keeps silent, who on the way is? Echo first, because most answer it; a walk as soon as that is in doubt,
//! because routers answer it to anybody, also where echo is forbidden or this user may not send one.

use super::{ping, walk};
use crate::model::{IfName, Outcome, Sighting};
use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// The echo is in doubt when it has kept silent for this long: longer than the round trip of any line one can settle over.
const IN_DOUBT: Duration = Duration::from_millis(250);

/// Looks at `target`, out of `device` if given, and reports each sighting as it comes.
pub async fn reach(target: IpAddr, device: Option<&IfName>, patience: Duration, emit: impl AsyncFn(Sighting)) {
    let began = Instant::now();
    let mut echo = pin!(ping::ping(target, device, patience));
    match timeout(IN_DOUBT.min(patience), &mut echo).await {
        Ok(known @ Sighting::Ping(_, Outcome::Ok(_) | Outcome::Failed(_))) => emit(known).await,
        Ok(unasked) => {
            emit(unasked).await;
            emit(walk::walk(target, device, patience).await).await;
        }
        Err(_) => {
            let walk = walk::walk(target, device, patience.saturating_sub(began.elapsed()));
            tokio::join!(async { emit(echo.await).await }, async { emit(walk.await).await });
        }
    }
}

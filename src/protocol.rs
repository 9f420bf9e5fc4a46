//! The messages between coordinator, agent and driver, versioned. Nothing but types and their rules.
//!
//! JSON lines in UTF-8, one object a line, at most [`MAX_LINE`] bytes, over standard input and output.
//!
//! A driver reads one [`Job`], prints [`DriverEvent`]s, and starts measuring at [`Go`].
//! An agent reads [`Request`]s and prints [`Response`]s (and [`Notice`]s), matched by number.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A request's arguments, tied to its reply.
pub trait Call: Serialize + DeserializeOwned {
    /// The name on the wire.
    const NAME: &'static str;
    /// What comes back.
    type Reply: Serialize + DeserializeOwned + Untrusted;

    /// The secrets that it contains.
    fn secrets(&self) -> Vec<&str> {
        Vec::new()
    }
}

/// A call, its reply and its name; and, if the call says how to reach a server, which may require a secret, where the
/// endpoint is.
macro_rules! call {
    ($request:ty => $reply:ty, $name:literal $(, $endpoint:expr)?) => {
        impl Call for $request {
            const NAME: &'static str = $name;
            type Reply = $reply;

            $(fn secrets(&self) -> Vec<&str> {
                let endpoint: fn(&Self) -> Option<&crate::protocol::Endpoint> = $endpoint;
                endpoint(self).map(crate::protocol::Endpoint::secrets).unwrap_or_default()
            })?
        }
    };
}

mod agent;
mod driver;
mod server;
mod texts;
mod trial;

pub use agent::*;
pub use driver::*;
pub use server::*;
pub use texts::*;
pub use trial::*;

/// The version of what coordinator and agent say to each other. A mismatch is an error that names both.
pub const PROTOCOL: u32 = 2;

/// The versions of the protocol between an agent and a driver. A job states which one it uses: the first that has everything
/// it asks for, so that a driver that knows no later version keeps working.
pub const DRIVER_PROTOCOLS: std::ops::RangeInclusive<u32> = 1..=3;

/// The git revision of the sources that this program was built from, where that was known.
pub const REVISION: Option<&str> = option_env!("ORCHESTRATE_REVISION");

/// A line longer than this, in bytes and without its newline, is an error.
pub const MAX_LINE: usize = 16 * 1024 * 1024;

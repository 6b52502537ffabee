//! The threads that train: deep stacks, and everybody else is served first.

use std::thread;

use super::TrainingError;

/// Stack of the training thread: candle walks a graph by recursion.
const STACK_BYTES: usize = 64 << 20;

/// How readily the threads that train are served, of 99; the threads that answer people have 50. On Linux this is a niceness of
/// about 10 for the thread alone, so that the screen's thread keeps its own.
#[cfg(unix)]
const PRIORITY: u8 = 25;

/// A thread that may walk a graph.
pub(super) fn builder(name: &str) -> thread::Builder {
    thread::Builder::new().name(name.into()).stack_size(STACK_BYTES)
}

/// Threads that train while people work: as many as there are cores, and the system serves everybody else first.
pub(super) fn background_pool() -> Result<rayon::ThreadPool, TrainingError> {
    rayon::ThreadPoolBuilder::new()
        .thread_name(|at| format!("training-{at}"))
        .stack_size(STACK_BYTES)
        .start_handler(|_| yield_to_others())
        .build()
        .map_err(|error| TrainingError::Thread(error.to_string()))
}

/// From now on this thread runs when others of this machine do not want to.
fn yield_to_others() {
    #[cfg(unix)]
    if let Ok(priority) = thread_priority::ThreadPriorityValue::try_from(PRIORITY) {
        // Where the system refuses, training goes on as before.
        let _ = thread_priority::set_current_thread_priority(thread_priority::ThreadPriority::Crossplatform(priority));
    }
}

/// What a thread said as it died.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}

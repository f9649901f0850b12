//! What a transaction runs.

/// An async closure that can be called again, and whose future can go to another thread.
///
/// Every `async |connection| ..` is one that changes nothing it has captured, and that is not `move` with what its future
/// borrows. Nobody has to implement it: it is there because the future of an `AsyncFnMut` has no name of its own.
pub trait TransactionBody<A, R>: AsyncFnMut(A) -> R + FnMut(A) -> <Self as TransactionBody<A, R>>::Future {
    /// What a call gives.
    type Future: Future<Output = R>;
}

impl<F, A, Fut, R> TransactionBody<A, R> for F
where
    F: AsyncFnMut(A) -> R + FnMut(A) -> Fut,
    Fut: Future<Output = R>,
{
    type Future = Fut;
}

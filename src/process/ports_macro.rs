//! Ports with names: a struct of ends in place of a tuple.
//!
//! A struct of ports has one type parameter for each field, which has the field's name. So one struct is all of it: with
//! tokens or parcels in its fields it is what a process is given, with ports in them what the process borrows.

use super::{
    blocking::{BlockingIn, BlockingOut},
    here::Here,
    input::In,
    out::Out,
    ports::Bound,
};

/// Declares a struct of ports.
///
/// Its fields are declared as the process sees them. Where the process is added, the same struct is written with tokens
/// in it (or with parcels, where one process [starts](crate::process::Here::start) another). A thread borrows it as
/// [`InThread`].
///
/// ```
/// use handover::{
///     ports,
///     process::{In, InThread, Network, Out},
/// };
///
/// ports! {
///     /// What a worker has.
///     pub struct Worker {
///         /// What is to be done.
///         pub jobs: In<u32>,
///         /// What was done.
///         pub results: Out<String>,
///     }
/// }
///
/// let mut net = Network::new("office");
/// let (boss_jobs, jobs) = net.channel("jobs");
/// let (results, boss_results) = net.channel("results");
/// let also = Worker { jobs: jobs.share(), results: results.share() };
/// net.process("left", Worker { jobs, results }, async |worker: &Worker| {
///     while let Some(job) = worker.jobs.next().await? {
///         worker.results.send(format!("{job} by left")).await?;
///     }
///     Ok(())
/// });
/// // The same for code that blocks.
/// net.thread("right", also, |worker: &InThread<Worker>| {
///     while let Some(job) = worker.jobs.next()? {
///         worker.results.send(format!("{job} by right"))?;
///     }
///     Ok(())
/// });
/// net.process("boss", (boss_jobs, boss_results), async |(jobs, results): &(Out<u32>, In<String>)| {
///     for job in 1..=10 {
///         jobs.send(job).await?;
///         let result = results.recv().await?;
///         assert!(result.starts_with(&job.to_string()));
///     }
///     Ok(())
/// });
/// net.run()?;
/// # Ok::<(), handover::process::RunError>(())
/// ```
///
/// A field is whatever a process can have: an [`In`], an [`Out`], a
/// [`Poisoner`](crate::process::Poisoner), a [`Here`], a tuple, vector, array or option of these, or another such struct. (A field's name
/// must not be that of a type in its declaration.)
///
/// For messages of any type two names are declared: of the type that the process borrows, and of the struct.
///
/// ```
/// use handover::{
///     ports,
///     process::{In, Network, Out, ProcessResult},
/// };
///
/// ports! {
///     /// What a relay has, whatever it relays.
///     pub type Relay<T> = struct RelayPorts {
///         pub from: In<T>,
///         pub to: Out<T>,
///     }
/// }
///
/// async fn relay<T: Send + 'static>(ports: &Relay<T>) -> ProcessResult {
///     while let Some(message) = ports.from.next().await? {
///         ports.to.send(message).await?;
///     }
///     Ok(())
/// }
///
/// let mut net = Network::new("chain");
/// let (first, from) = net.channel::<&str>("first");
/// let (to, last) = net.channel("last");
/// net.process("relay", RelayPorts { from, to }, relay);
/// net.process("source", first, async |out: &Out<&'static str>| Ok(out.send("word").await?));
/// net.process("sink", last, async |into: &In<&'static str>| {
///     assert_eq!(into.recv().await?, "word");
///     Ok(())
/// });
/// net.run()?;
/// # Ok::<(), handover::process::RunError>(())
/// ```
#[macro_export]
macro_rules! ports {
    ($(#[$meta:meta])* $vis:vis struct $Name:ident {
        $($(#[$about:meta])* $its_vis:vis $field:ident: $Port:ty),* $(,)?
    }) => {
        $(#[$meta])*
        #[allow(non_camel_case_types)]
        $vis struct $Name<$($field = $Port),*> {
            $($(#[$about])* $its_vis $field: $field),*
        }
        $crate::__ports! { $Name $($field)* }
    };
    ($(#[$meta:meta])* $vis:vis type $Alias:ident<$($Message:ident),+ $(,)?> = struct $Name:ident {
        $($(#[$about:meta])* $its_vis:vis $field:ident: $Port:ty),* $(,)?
    }) => {
        $(#[$meta])*
        $vis type $Alias<$($Message),+> = $Name<$($Port),*>;

        #[doc = concat!("What [`", stringify!($Alias), "`] is, with ports or tokens or parcels in it.")]
        #[allow(non_camel_case_types)]
        $vis struct $Name<$($field),*> {
            $($(#[$about])* $its_vis $field: $field),*
        }
        $crate::__ports! { $Name $($field)* }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __ports {
    ($Name:ident $($field:ident)*) => {
        #[allow(non_camel_case_types)]
        impl<$($field: $crate::process::Ports),*> $crate::process::Ports for $Name<$($field),*> {
            type Async = $Name<$(<$field as $crate::process::Ports>::Async),*>;
            type Blocking = $Name<$(<$field as $crate::process::Ports>::Blocking),*>;

            fn bind(self, seat: &$crate::process::Seat<'_>) -> Self::Async {
                $Name {
                    $($field: $crate::process::Ports::bind(self.$field, seat)),*
                }
            }

            fn bind_blocking(self, seat: &$crate::process::Seat<'_>) -> Self::Blocking {
                $Name {
                    $($field: $crate::process::Ports::bind_blocking(self.$field, seat)),*
                }
            }
        }

        #[allow(non_camel_case_types)]
        impl<$($field: $crate::process::Bound),*> $crate::process::Bound for $Name<$($field),*> {
            fn fail(&self, failing: &$crate::process::Failing) {
                $($crate::process::Bound::fail(&self.$field, failing);)*
            }
        }

        #[allow(non_camel_case_types)]
        impl<$($field: $crate::process::Twofold),*> $crate::process::Twofold for $Name<$($field),*> {
            type Blocking = $Name<$($crate::process::InThread<$field>),*>;
        }
    };
}

/// Ports of a process that a thread can have too, where their operations block.
pub trait Twofold: Bound {
    /// What a thread borrows in their place.
    type Blocking: Bound;
}

/// What a thread borrows where a process would borrow `P`: for a struct of [`ports!`](crate::ports) what its closure is
/// given. `InThread<(In<u32>, Out<u32>)>` is `(BlockingIn<u32>, BlockingOut<u32>)`.
pub type InThread<P> = <P as Twofold>::Blocking;

impl<T: Send + 'static> Twofold for Out<T> {
    type Blocking = BlockingOut<T>;
}

impl<T: Send + 'static> Twofold for In<T> {
    type Blocking = BlockingIn<T>;
}

impl Twofold for Here {
    type Blocking = Self;
}

impl<P: Twofold> Twofold for Vec<P> {
    type Blocking = Vec<P::Blocking>;
}

impl<P: Twofold, const N: usize> Twofold for [P; N] {
    type Blocking = [P::Blocking; N];
}

impl<P: Twofold> Twofold for Option<P> {
    type Blocking = Option<P::Blocking>;
}

macro_rules! tuples {
    ($(($($P:ident)*);)+) => {$(
        impl<$($P: Twofold),*> Twofold for ($($P,)*) {
            type Blocking = ($($P::Blocking,)*);
        }
    )+};
}

tuples! {
    ();
    (A);
    (A B);
    (A B C);
    (A B C D);
    (A B C D E);
    (A B C D E F);
    (A B C D E F G);
    (A B C D E F G H);
}

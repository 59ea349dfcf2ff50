//! The pipeline on real threads, and in every interleaving.

use super::*;

fn orders(count: u32) -> Vec<Order> {
    let fresh = |number| Order {
        number,
        refusals: 0,
    };
    (0..count).map(fresh).collect()
}

fn numbers(mut accepted: Vec<Order>) -> Vec<u32> {
    accepted.sort_unstable_by_key(|order| order.number);
    accepted.into_iter().map(|order| order.number).collect()
}

#[cfg(not(loom))]
#[test]
fn on_real_threads_every_order_is_accepted_once() {
    const ORDERS: u32 = 1_000;
    let accepted = run(|out, verdicts| desk(orders(ORDERS), out, verdicts), check);
    assert!(numbers(accepted).into_iter().eq(0..ORDERS));
}

#[cfg(loom)]
mod in_every_interleaving {
    use super::*;

    /// The planted fault: it takes all verdicts that wait, and then sends. If the check has one to tell only a moment
    /// later, the two send to each other.
    fn desk_that_only_peeks(
        mut orders: Vec<Order>,
        out: &Sender<Order>,
        verdicts: &Receiver<Verdict>,
    ) {
        let mut under_way = 0;
        while !orders.is_empty() || under_way > 0 {
            while let Ok(refused) = verdicts.try_recv() {
                under_way -= 1;
                orders.extend(refused);
            }
            match orders.pop() {
                Some(order) => {
                    if out.send(order).is_err() {
                        return;
                    }
                    under_way += 1;
                }
                None if under_way > 0 => {
                    let Ok(refused) = verdicts.recv() else { return };
                    under_way -= 1;
                    orders.extend(refused);
                }
                None => {}
            }
        }
    }

    #[test]
    fn every_order_is_accepted_once() {
        loom::model(|| {
            let accepted = run(|out, verdicts| desk(orders(2), out, verdicts), check);
            assert_eq!(numbers(accepted), [0, 1]);
        });
    }

    /// With one order, that is refused once: a task of loom's is also polled for no reason, so there is more to try.
    #[test]
    fn every_order_is_accepted_once_by_a_task() {
        loom::model(|| {
            let accepted = run(
                |out, verdicts| desk(orders(2).split_off(1), out, verdicts),
                |orders, verdicts, accepted| {
                    loom::future::block_on(check_async(orders, verdicts, accepted));
                },
            );
            assert_eq!(numbers(accepted), [1]);
        });
    }

    #[test]
    #[should_panic(expected = "deadlock")]
    fn two_stages_that_send_to_each_other_are_found() {
        loom::model(|| {
            let accepted = run(
                |out, verdicts| desk_that_only_peeks(orders(2), out, verdicts),
                check,
            );
            assert_eq!(numbers(accepted), [0, 1]);
        });
    }

    /// With one order there is no moment in which both send, and loom says so.
    #[test]
    fn with_one_order_the_desk_that_only_peeks_gets_through() {
        loom::model(|| {
            let accepted = run(
                |out, verdicts| desk_that_only_peeks(orders(1), out, verdicts),
                check,
            );
            assert_eq!(numbers(accepted), [0]);
        });
    }
}

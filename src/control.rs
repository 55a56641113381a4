//! Wait, go on, stop: what people and signals ask of a running flow.

use tokio::sync::watch;

use crate::exit::Exit;

/// What the flow is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Go on.
    Go,
    /// Take no more rows, wait for what is in flight, then end with this code.
    Drain(Exit),
    /// End now; what is in flight is in doubt.
    Stop(Exit),
}

/// The flow's end of the wire.
#[derive(Debug, Clone)]
pub struct Control {
    orders: watch::Receiver<Order>,
}

/// The other end: signals today, commands from another shell later.
#[derive(Debug)]
pub struct Orders {
    sender: watch::Sender<Order>,
}

/// Both ends.
pub fn wire() -> (Orders, Control) {
    let (sender, orders) = watch::channel(Order::Go);
    (Orders { sender }, Control { orders })
}

impl Control {
    /// The order that stands.
    pub fn order(&self) -> Order {
        *self.orders.borrow()
    }

    /// Waits for the next order; for ever where nobody can give one any more.
    pub async fn changed(&mut self) {
        if self.orders.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Orders {
    /// The first signal drains, the second stops.
    pub fn signal(&self, exit: Exit) {
        self.sender.send_modify(|order| {
            *order = match *order {
                Order::Go => Order::Drain(exit),
                Order::Drain(first) | Order::Stop(first) => Order::Stop(first),
            };
        });
    }

    /// Listens for SIGINT, SIGTERM and SIGHUP until dropped.
    ///
    /// # Errors
    /// Where the system refuses a signal handler.
    pub async fn listen(self, told: impl Fn(Order)) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut int = signal(SignalKind::interrupt())?;
        let mut term = signal(SignalKind::terminate())?;
        let mut hup = signal(SignalKind::hangup())?;
        loop {
            let exit = tokio::select! {
                _ = int.recv() => Exit::Int,
                _ = term.recv() => Exit::Term,
                _ = hup.recv() => Exit::Hup,
            };
            self.signal(exit);
            told(*self.sender.borrow());
        }
    }
}

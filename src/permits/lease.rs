//! The limits of one account as this process has them: slots leased from `state.db` a block at a time, and forfeited when they are late.
//!
//! What is written down is when the next slot of a limit begins. A block is taken in one transaction, so no slot is ever given out
//! twice, and whoever is killed loses what was leased and gives nobody a second burst. A block reaches `BLOCK` ahead, and none is
//! given out that begins more than `AHEAD` from now: so a run that joins waits no longer than that for its share. Time is handed in.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::limit::Quota;
use crate::limit::slots::{self, Nanos, Slot, Slots};
use crate::permits::clock::{Now, boot};
use crate::permits::fair;
use crate::state::pace::{Contender, Key, Ledger, PaceStore, key};

const MS: Nanos = 1_000_000;
/// What a block of slots covers.
const BLOCK: Nanos = 60 * MS;
/// A block that begins later than this is not given out yet.
const AHEAD: Nanos = 120 * MS;
/// The next block is asked for when the slots at hand end sooner than this.
const REFILL: Nanos = 45 * MS;
/// How long before its slot a request is gathered at the most: a slow sync of the journal.
const SYNC: Nanos = 20 * MS;
/// What a request needs from its permit to the wire when everything goes well.
const HEAD: Nanos = 6 * MS;
/// Who has asked within this time is still there.
const ALIVE: Nanos = 200 * MS;
/// How soon somebody asks again who must let another go first.
const POLL: Nanos = 15 * MS;
/// How soon somebody asks again while others compete, so that they know of it.
const BEAT: Nanos = 50 * MS;
/// How soon a file is asked again that another process holds.
const BUSY: Nanos = 4 * MS;
/// For so long may it be held before this run goes on alone.
const PATIENCE: Nanos = 10_000 * MS;
/// A slot later than this was never given out by anybody: the number is damaged.
const ABSURD: Nanos = 600_000 * MS;
/// How long rows of the tables that are not touched are kept, in milliseconds.
const KEPT: i64 = 86_400_000;
/// Parts of a long window.
const PARTS: i64 = 1000;
/// Between a permit and the wire, in milliseconds: so much longer than its period a long window is kept.
const WAY: i64 = 250;

/// What a run could send.
#[derive(Debug, Clone, Copy)]
pub struct Demand {
    /// Rows that want to go.
    pub waiting: usize,
    /// There is width for another request behind this one.
    pub more: bool,
}

/// Why there is no permit.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Ask again after this.
    Wait(Duration),
    /// Nothing can be shared.
    Broken(rusqlite::Error),
}

/// A limit of more than a minute: as fast as the others allow, until it is used up.
#[derive(Debug)]
struct Long {
    quota: Quota,
    key: Key,
    /// Milliseconds of one part.
    part: i64,
    /// Parts that count.
    counted: i64,
}

/// A slot that is leased and not used, and where every limit stood before it.
#[derive(Debug)]
struct Leased {
    slot: Slot,
    before: Vec<Nanos>,
}

/// What an ask brought.
enum Asked {
    Granted,
    Later(Nanos),
}

/// The limits of one account.
#[derive(Debug)]
pub(crate) struct Lease {
    store: Arc<Mutex<PaceStore>>,
    account: Key,
    /// Where the account's virtual time is kept.
    time: Key,
    me: Contender,
    limits: Vec<Slots>,
    keys: Vec<Key>,
    long: Vec<Long>,
    /// Leased and not used yet, for one delivery each, or for the request that was asked for.
    ready: VecDeque<Leased>,
    /// Deliveries that each of them is for.
    each: u32,
    /// Where every limit stands behind the last of them.
    after: Vec<Nanos>,
    /// The part of each long window that they were counted in.
    counted_in: Vec<i64>,
    /// Counted there and forfeited: the next look takes it back.
    unused: i64,
    /// Slots of the next block, at most: what the last blocks were used for.
    appetite: usize,
    /// Its size when everything is used.
    whole: usize,
    /// Slots used since the last block, and when that was.
    used: i64,
    granted_at: Option<Nanos>,
    /// Rows are ready that the limit alone holds up.
    hungry: bool,
    was_hungry: bool,
    known: bool,
    not_before: Nanos,
    lead: Nanos,
    /// Requests carry several: a slot is leased for exactly one of them.
    batches: bool,
    used_up: Option<Quota>,
    busy_since: Option<Nanos>,
}

impl Lease {
    /// The limits of the account that `identity` names, for the run `who`.
    pub(crate) fn new(
        store: Arc<Mutex<PaceStore>>,
        quotas: &[Quota],
        identity: &str,
        (who, weight, strict): (Key, u32, bool),
        (width, batch): (usize, usize),
    ) -> Self {
        let boot = boot();
        let even: Vec<&Quota> = quotas.iter().filter(|quota| !quota.rolls()).collect();
        let limits: Vec<Slots> = even.iter().map(|quota| Slots::of(quota)).collect();
        // Not of its burst: that is how a process uses the limit, not which limit it is.
        let name = |quota: &Quota| format!("{}/{} {:?}", quota.count, quota.period.as_nanos(), quota.of);
        let keys: Vec<Key> = even.iter().map(|quota| key(&["limit", &boot, identity, &name(quota)])).collect();
        let long = quotas.iter().filter(|quota| quota.rolls()).map(|quota| {
            let part = i64::try_from(quota.period.as_millis()).unwrap_or(i64::MAX / 4).div_euclid(PARTS) + 1;
            // One more than the window has, because an early delivery of a part and a late one are not told apart.
            Long { quota: *quota, key: key(&["long", identity, &name(quota)]), part, counted: PARTS + 1 + WAY / part + 1 }
        });
        let every = limits.iter().map(Slots::every).max().unwrap_or(0);
        let fits = if every == 0 { 256 } else { (BLOCK / every).clamp(1, 4096) };
        // What waits for its slot takes up width: never more than a quarter of it.
        let lead =
            if every == 0 { SYNC } else { SYNC.min(every.saturating_mul(i64::try_from(width.max(1)).unwrap_or(i64::MAX)) / 4) };
        let me = Contender { who, passed: 0, asked: 0, weight, strict, hungry: false };
        let long: Vec<Long> = long.collect();
        Lease {
            store,
            account: key(&["contest", &boot, identity]),
            time: key(&["time", &boot, identity]),
            me,
            after: vec![0; limits.len()],
            counted_in: vec![0; long.len()],
            unused: 0,
            limits,
            keys,
            long,
            ready: VecDeque::new(),
            each: 1,
            appetite: usize::try_from(fits).unwrap_or(1),
            whole: usize::try_from(fits).unwrap_or(1),
            used: 0,
            granted_at: None,
            hungry: false,
            was_hungry: false,
            known: false,
            not_before: Nanos::MIN,
            lead,
            batches: batch > 1,
            used_up: None,
            busy_since: None,
        }
    }

    /// Slots that go by in the time of a block.
    pub(crate) fn soon(&self) -> usize {
        self.whole
    }

    /// The long limit that made the last one wait.
    pub(crate) fn used_up(&self) -> Option<Quota> {
        self.used_up
    }

    /// A slot for a request of so many deliveries, or of fewer where a limit allows fewer at once, but not of fewer than `least`.
    pub(crate) fn take(&mut self, deliveries: u32, least: u32, demand: Demand, now: Now) -> Result<(u32, Slot), Refused> {
        let most = self.limits.iter().filter_map(Slots::most).min();
        let wanted = deliveries.min(most.unwrap_or(deliveries)).max(1);
        self.forfeit(now);
        if self.ready.is_empty() {
            self.ask_when_due(wanted, least, demand.waiting, now)?;
        }
        match self.ready.front().map(|leased| leased.slot.at) {
            Some(at) if at <= now.mono + self.lead => {}
            at => {
                self.hungry = true;
                let wait = at.map_or(self.not_before, |at| at - self.lead) - now.mono;
                self.refill(demand.waiting, now);
                return Err(Refused::Wait(Duration::from_nanos(wait.max(MS / 10).unsigned_abs())));
            }
        }
        let Some(Leased { slot, .. }) = self.ready.pop_front() else {
            return Err(Refused::Wait(Duration::from_millis(1)));
        };
        self.used += 1;
        self.hungry = demand.more && demand.waiting > 1;
        Ok((self.each, slot))
    }

    /// The slot is over: the next one there is, whoever else waits. Its deliveries are counted in the long windows already.
    pub(crate) fn again(&mut self, deliveries: u32, now: Now) -> Slot {
        if self.limits.is_empty() {
            return Slot { at: now.mono, until: Nanos::MAX };
        }
        self.forfeit(now);
        if !self.batches
            && let Some(leased) = self.ready.pop_front()
        {
            return leased.slot;
        }
        let mut lost = 0;
        loop {
            match self.next_of_all(deliveries, now) {
                Ok(slot) => return slot,
                Err(error) => {
                    lost += 1;
                    if lost > 2 || !is_busy(&error) {
                        // Rather late by what the limit takes for one than not at all.
                        let at = now.mono + self.limits.iter().map(Slots::every).max().unwrap_or(0);
                        return Slot { at, until: Nanos::MAX };
                    }
                }
            }
        }
    }

    fn next_of_all(&mut self, deliveries: u32, now: Now) -> rusqlite::Result<Slot> {
        let store = self.store.clone();
        let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
        let ledger = store.begin()?;
        let mut next = self.begins(&ledger, now)?;
        let slot = slots::take(&self.limits, &mut next, count(deliveries), now.mono, 0);
        self.write(&ledger, &next, now)?;
        ledger.end()?;
        Ok(slot)
    }

    /// Slots that are over, or that nobody could use any more, are lost.
    fn forfeit(&mut self, now: Now) {
        let had = self.ready.len();
        while self.ready.front().is_some_and(|leased| leased.slot.until < now.mono + 2 * MS) {
            self.ready.pop_front();
        }
        if self.ready.len() < had {
            self.unused += (had - self.ready.len()) as i64 * i64::from(self.each);
        }
    }

    /// Asks ahead for the block after this one, so that nobody waits for the file in between.
    fn refill(&mut self, waiting: usize, now: Now) {
        let ends = self.ready.back().map_or(now.mono, |leased| leased.slot.at);
        if !self.batches && self.hungry && waiting > self.ready.len() && ends < now.mono + REFILL && now.mono >= self.not_before {
            // What is refused now is asked for again when the slots at hand are used.
            let _ = self.ask_when_due(1, 1, waiting, now);
        }
    }

    fn ask_when_due(&mut self, deliveries: u32, least: u32, waiting: usize, now: Now) -> Result<(), Refused> {
        if now.mono < self.not_before {
            return Ok(());
        }
        let wait = match self.ask(deliveries, least, waiting, now) {
            Ok(Asked::Granted) => {
                self.busy_since = None;
                self.not_before = now.mono;
                return Ok(());
            }
            Ok(Asked::Later(wait)) => {
                self.busy_since = None;
                wait
            }
            Err(error) if is_busy(&error) && now.mono - *self.busy_since.get_or_insert(now.mono) < PATIENCE => BUSY,
            Err(error) => return Err(Refused::Broken(error)),
        };
        self.not_before = now.mono + wait.max(MS / 10);
        Ok(())
    }

    /// One look at what all processes share: a block of slots, or when to look again.
    fn ask(&mut self, deliveries: u32, least: u32, waiting: usize, now: Now) -> rusqlite::Result<Asked> {
        let store = self.store.clone();
        let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
        let ledger = store.begin()?;
        let since = now.mono - ALIVE;
        let known = if self.known { since } else { Nanos::MIN };
        let all = if self.limits.is_empty() { Vec::new() } else { ledger.contenders(&self.account, known)? };
        if let Some(before) = all.iter().find(|other| other.who == self.me.who).filter(|_| !self.known) {
            // An earlier life of this run: what it had it has had.
            self.me.passed = before.passed;
        }
        let rivals: Vec<Contender> = all.into_iter().filter(|other| other.who != self.me.who && other.asked >= since).collect();
        if !self.known || (self.hungry && !self.was_hungry) || now.mono - self.me.asked > ALIVE {
            fair::join(&mut self.me, ledger.next(&self.time)?.unwrap_or_default());
        }
        self.known = true;
        let contested = rivals.iter().any(|rival| rival.hungry);
        self.me.asked = now.mono;
        self.me.hungry = self.hungry;
        self.was_hungry = self.me.hungry;
        if !fair::goes_first(&self.me, &rivals) {
            self.me.hungry = true;
            self.appear(&ledger, now)?;
            ledger.end()?;
            return Ok(Asked::Later(POLL));
        }
        let mut next = self.begins(&ledger, now)?;
        let mut left = i64::MAX;
        self.used_up = None;
        for (long, counted_in) in self.long.iter().zip(self.counted_in.iter_mut()) {
            let part = now.wall.div_euclid(long.part);
            if self.unused > 0 {
                ledger.use_up(&long.key, *counted_in, -self.unused, 0)?;
            }
            let (used, earliest) = ledger.used(&long.key, part - long.counted + 1)?;
            *counted_in = part;
            left = left.min(i64::from(long.quota.count.get()) - used);
            if left < i64::from(least.max(1)) {
                self.used_up = Some(long.quota);
                let free = (earliest.unwrap_or(part) + long.counted) * long.part;
                return Ok(Asked::Later((free - now.wall).max(1).saturating_mul(MS)));
            }
        }
        if let Some(before) = self.granted_at.filter(|_| !self.hungry) {
            // Something else than the limit holds it up: about what it used of late.
            let of_late = self.used * BLOCK / (now.mono - before).max(MS);
            self.appetite = usize::try_from(of_late * 5 / 4 + 1).unwrap_or(1).min(self.whole);
        }
        let each = i64::from(deliveries).min(left);
        self.each = u32::try_from(each).unwrap_or(1);
        let horizon = now.mono + if self.batches { self.lead } else { AHEAD };
        // Of a day no more than a hundredth at a time: who is killed loses what is leased.
        let share = self.long.iter().map(|long| i64::from(long.quota.count.get()) / 100).min().unwrap_or(i64::MAX).max(1);
        let most =
            if self.batches { 1 } else { i64::try_from(self.appetite.min(waiting)).unwrap_or(1).min(share).min(left).max(1) };
        let mut ends = Nanos::MAX;
        let mut leased = Vec::new();
        while (leased.len() as i64) < most {
            let before = next.clone();
            let mut slot = slots::take(&self.limits, &mut next, count(self.each), now.mono, HEAD);
            if self.limits.is_empty() {
                // Where it was counted it must be sent: no later than about now.
                slot.until = now.mono + 2 * BLOCK;
            }
            if leased.is_empty() && slot.at > horizon {
                let wait = slot.at - horizon;
                if contested {
                    self.me.hungry = true;
                    self.appear(&ledger, now)?;
                    ledger.end()?;
                }
                return Ok(Asked::Later(if contested { wait.min(BEAT) } else { wait }));
            }
            if slot.at > ends {
                next = before;
                break;
            }
            ends = ends.min(slot.at + BLOCK);
            leased.push(Leased { slot, before });
        }
        if self.hungry && leased.len() >= self.appetite {
            self.appetite = (self.appetite * 2).min(self.whole);
        }
        let granted = leased.len() as i64 * each;
        let began = self.me.passed;
        fair::charge(&mut self.me, granted);
        self.write(&ledger, &next, now)?;
        for (long, part) in self.long.iter().zip(&self.counted_in) {
            ledger.use_up(&long.key, *part, granted, (part + long.counted + 1) * long.part)?;
            ledger.forget_used(&long.key, part - long.counted)?;
        }
        if !self.limits.is_empty() {
            ledger.set_next(&self.time, began, now.wall + KEPT)?;
            self.appear(&ledger, now)?;
        }
        ledger.end()?;
        self.after = next;
        self.unused = 0;
        (self.granted_at, self.used) = (Some(now.mono), 0);
        self.ready.extend(leased);
        Ok(Asked::Granted)
    }

    fn appear(&self, ledger: &Ledger<'_>, now: Now) -> rusqlite::Result<()> {
        ledger.set_contender(&self.account, &self.me, now.wall + KEPT)
    }

    /// Where the next slot of each limit begins.
    fn begins(&self, ledger: &Ledger<'_>, now: Now) -> rusqlite::Result<Vec<Nanos>> {
        let found = self.keys.iter().map(|key| ledger.next(key));
        found.map(|next| Ok(next?.filter(|next| *next < now.mono + ABSURD).unwrap_or(Nanos::MIN / 2))).collect()
    }

    fn write(&self, ledger: &Ledger<'_>, next: &[Nanos], now: Now) -> rusqlite::Result<()> {
        self.keys.iter().zip(next).try_for_each(|(key, next)| ledger.set_next(key, *next, now.wall + KEPT))
    }

    /// What is leased and not used goes to whoever comes next, if nobody has leased behind it.
    fn give_back(&mut self, now: Now) {
        let Some(first) = self.ready.front() else { return };
        let (before, unused) = (first.before.clone(), self.ready.len() as i64 * i64::from(self.each));
        let store = self.store.clone();
        let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
        if store.begin().and_then(|ledger| self.return_to(ledger, &before, unused, now)).is_ok() {
            fair::charge(&mut self.me, -unused);
        }
        drop(store);
        self.ready.clear();
    }

    fn return_to(&self, ledger: Ledger<'_>, before: &[Nanos], unused: i64, now: Now) -> rusqlite::Result<()> {
        if self.begins(&ledger, now)? == self.after {
            self.write(&ledger, before, now)?;
        }
        for (long, part) in self.long.iter().zip(&self.counted_in) {
            ledger.use_up(&long.key, *part, -unused, (part + long.counted + 1) * long.part)?;
        }
        ledger.end()
    }

    /// The run ends: others need not wait to see that it is gone.
    fn leave(&mut self, now: Now) -> rusqlite::Result<()> {
        self.give_back(now);
        if !self.known || self.limits.is_empty() {
            return Ok(());
        }
        self.me.hungry = false;
        let store = self.store.clone();
        let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
        let ledger = store.begin()?;
        self.appear(&ledger, now)?;
        ledger.end()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Should it fail, what is leased is lost and the others see within a blink that nobody asks.
        let _ = self.leave(Now::read());
    }
}

fn count(deliveries: u32) -> NonZeroU32 {
    NonZeroU32::new(deliveries).unwrap_or(NonZeroU32::MIN)
}

/// Another process holds the file just now.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
}

#[cfg(test)]
mod tests;

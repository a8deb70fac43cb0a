//! One-time keys, and the sessions for which they are exchanged. They are kept in memory only, so both end with the server.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::task::Message;

/// How long a one-time key is valid.
const KEY_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// Maximum number of keys that have not been used.
const MAX_KEYS: usize = 10;

/// How long a session lasts after its last request.
const MAX_IDLE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Maximum number of sessions. The one that was idle for longest makes room for a new one.
const MAX_SESSIONS: usize = 100;

/// Maximum number of notices that wait to be shown in a session.
const MAX_NOTICES: usize = 20;

/// How many wrong tokens are accepted within [`ATTEMPTS_PERIOD`].
const MAX_ATTEMPTS: usize = 10;

/// The period of time in which wrong tokens are counted.
const ATTEMPTS_PERIOD: Duration = Duration::from_secs(60);

/// A browser that is signed in.
#[derive(Debug)]
pub(super) struct Session {
    id: String,
    csrf: String,
    notices: Mutex<Vec<Message>>,
}

impl Session {
    fn new() -> Self {
        Self { id: secret(), csrf: secret(), notices: Mutex::default() }
    }

    /// The value of its cookie.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The token that its forms contain.
    pub(super) fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Whether a form with this token is from one of our pages.
    pub(super) fn is_csrf(&self, token: &str) -> bool {
        is_same(&self.csrf, token)
    }

    /// Shows these sentences on the next page of the session.
    pub(super) fn notify(&self, sentences: Vec<Message>) {
        let mut notices = locked(&self.notices);
        notices.extend(sentences);
        let excess = notices.len().saturating_sub(MAX_NOTICES);
        notices.drain(..excess);
    }

    /// The sentences that were not shown yet.
    pub(super) fn take_notices(&self) -> Vec<Message> {
        mem::take(&mut *locked(&self.notices))
    }
}

/// All sessions of this server, and the keys for new ones.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    keys: VecDeque<(String, Instant)>,
    /// With the time of their last request.
    sessions: Vec<(Arc<Session>, Instant)>,
    /// The times of the last wrong tokens.
    attempts: VecDeque<Instant>,
}

impl Sessions {
    /// A new one-time key.
    pub(super) fn issue_key(&mut self, now: Instant) -> String {
        if self.keys.len() == MAX_KEYS {
            self.keys.pop_front();
        }
        let key = secret();
        self.keys.push_back((key.clone(), now));
        key
    }

    /// Opens a session for a key, which is used up; `None` if it was used before, or is too old.
    pub(super) fn exchange(&mut self, key: &str, now: Instant) -> Option<Arc<Session>> {
        self.keys.retain(|(_, issued)| now.duration_since(*issued) < KEY_LIFETIME);
        let matching = first_match(self.keys.iter().map(|(known, _)| known.as_str()), key)?;
        self.keys.remove(matching);
        Some(self.open(now))
    }

    /// Opens a session.
    pub(super) fn open(&mut self, now: Instant) -> Arc<Session> {
        if self.sessions.len() >= MAX_SESSIONS {
            let oldest = self.sessions.iter().enumerate().min_by_key(|(_, (_, used))| *used).map(|(at, _)| at);
            oldest.map(|at| self.sessions.swap_remove(at));
        }
        let session = Arc::new(Session::new());
        self.sessions.push((Arc::clone(&session), now));
        session
    }

    /// The session with this ID.
    pub(super) fn find(&mut self, id: &str, now: Instant) -> Option<Arc<Session>> {
        self.sessions.retain(|(_, used)| now.duration_since(*used) < MAX_IDLE);
        let matching = first_match(self.sessions.iter().map(|(session, _)| session.id()), id)?;
        let (session, used) = &mut self.sessions[matching];
        *used = now;
        Some(Arc::clone(session))
    }

    /// Ends a session.
    pub(super) fn close(&mut self, session: &Session) {
        self.sessions.retain(|(known, _)| known.id != session.id);
    }

    /// Whether another token may be tried now.
    pub(super) fn may_attempt(&mut self, now: Instant) -> bool {
        self.attempts.retain(|at| now.duration_since(*at) < ATTEMPTS_PERIOD);
        self.attempts.len() < MAX_ATTEMPTS
    }

    /// Remembers that a wrong token was tried.
    pub(super) fn count_attempt(&mut self, now: Instant) {
        self.attempts.push_back(now);
    }
}

/// The index of the first of `words` that is `word`. Takes the same time whether and where it is found.
fn first_match<'a>(words: impl Iterator<Item = &'a str>, word: &str) -> Option<usize> {
    words.enumerate().fold(None, |found, (at, known)| if is_same(known, word) { found.or(Some(at)) } else { found })
}

fn is_same(known: &str, word: &str) -> bool {
    known.as_bytes().ct_eq(word.as_bytes()).into()
}

/// The number of UUIDs in a secret: a version 4 UUID has 122 random bits, so a secret has more than 256.
const UUIDS: usize = 3;

/// A random word of hexadecimal digits.
fn secret() -> String {
    (0..UUIDS).map(|_| Uuid::new_v4().simple().to_string()).collect()
}

/// Whether a word has the form of a session ID.
pub(super) fn is_session_id(word: &str) -> bool {
    word.len() == UUIDS * uuid::fmt::Simple::LENGTH && word.bytes().all(|letter| letter.is_ascii_hexdigit())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_one_session_within_ten_minutes() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let (first, second) = (sessions.issue_key(now), sessions.issue_key(now));
        assert!(first != second && first.len() >= 64, "{first}");
        assert!(sessions.exchange("", now).is_none() && sessions.exchange(&first[1..], now).is_none());
        assert!(sessions.exchange(&first, now).is_some());
        assert!(sessions.exchange(&first, now).is_none(), "it was used before");
        assert!(sessions.exchange(&second, now + KEY_LIFETIME).is_none(), "it is too old");
    }

    #[test]
    fn a_session_is_found_by_its_whole_id_until_it_is_closed_or_idle_for_too_long() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let (kept, closed) = (sessions.open(now), sessions.open(now));
        assert_ne!(kept.csrf(), closed.csrf());
        sessions.close(&closed);
        assert!(sessions.find(closed.id(), now).is_none() && sessions.find("", now).is_none());
        assert!(sessions.find(&kept.id()[..10], now).is_none());
        let later = now + MAX_IDLE - Duration::from_secs(1);
        assert!(sessions.find(kept.id(), later).is_some());
        assert!(sessions.find(kept.id(), later + MAX_IDLE - Duration::from_secs(1)).is_some(), "it was used since");
        assert!(sessions.find(kept.id(), later + 3 * MAX_IDLE).is_none());
    }

    #[test]
    fn the_session_that_was_idle_for_longest_makes_room() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        let all: Vec<_> = (0..100).map(|second| sessions.open(after(second))).collect();
        assert!(sessions.find(all[0].id(), after(200)).is_some());
        sessions.open(after(201));
        assert!(sessions.find(all[1].id(), after(202)).is_none());
        assert!(sessions.find(all[0].id(), after(202)).is_some() && sessions.find(all[2].id(), after(202)).is_some());
    }

    #[test]
    fn ten_wrong_tokens_a_minute_are_accepted() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        for _ in 0..MAX_ATTEMPTS {
            assert!(sessions.may_attempt(now));
            sessions.count_attempt(now);
        }
        assert!(!sessions.may_attempt(now + ATTEMPTS_PERIOD - Duration::from_secs(1)));
        assert!(sessions.may_attempt(now + ATTEMPTS_PERIOD));
    }

    #[test]
    fn notices_are_shown_once_and_bounded() {
        let session = Session::new();
        session.notify((0..2 * MAX_NOTICES).map(Message::from).collect());
        let shown = session.take_notices();
        assert_eq!((shown.len(), shown.last()), (MAX_NOTICES, Some(&Message::from(2 * MAX_NOTICES - 1))));
        assert!(session.take_notices().is_empty());
    }
}

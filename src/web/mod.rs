//! The web UI: server-rendered pages about tasks, which update themselves while they are open.
//!
//! ```text
//! request ─▶ Route::parse ─▶ Access::check ─┬─▶ pages ──▶ present::web ──▶ HTML        (GET)
//!                                           ├─▶ streams ─▶ present::web ──▶ events      (GET …/live)
//!                                           └─▶ actions ─▶ the broker's verbs ─▶ 303    (POST, only with `--actions`)
//! ```
//!
//! The pages contain no policy: they read through the broker and call its verbs. All text is made by `present::web`,
//! whose templates escape everything that comes from outside.
//!
//! **Without JavaScript** every page works and is complete; it only does not update itself. With it, `assets/app.js`
//! opens the stream that the page names, and puts the fragments that arrive into the page.
//!
//! **Who may see the pages** is decided by `access`: a one-time address is exchanged for a cookie that scripts cannot
//! read and that other sites cannot send. Reading is always allowed then; actions only if this server allows them and the
//! form has the token of the session.

mod access;
mod actions;
mod downloads;
mod events;
mod list_stream;
pub(crate) mod pages;
mod parameters;
mod refused;
mod replies;
mod response;
mod route;
mod server;
mod sessions;
mod site;
mod task_stream;

pub(crate) use server::serve;
pub(crate) use site::Web;

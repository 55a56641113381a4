//! Conversations over real sockets, as clients have them.

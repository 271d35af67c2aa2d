//! Activity: what an identity did and what happened to it, newest first.

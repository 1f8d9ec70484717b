//! What the agent is told: types, loading, checking.


"""What has been learnt, in SQLite: the queue of due paths and the ledger of facts."""

"""SyncNet, which tells whether lips and sound belong together and how far apart they are; written from `metrics.md` §1, loads the official checkpoint."""

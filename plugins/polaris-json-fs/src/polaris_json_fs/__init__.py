"""Keeps Polaris knowledge graphs in JSON files: `json:///directory`.

A person reads the files, git compares them, and a journal makes commits durable.

- **A commit is one append.** The plan becomes one frame of `journal-<generation>.log`, itself lines of JSON, written
  and synced by one thread under one lock. Rewriting the readable files on each commit would cost six times as much
  and would not be atomic over several files.
- **The files are a checkpoint.** They are brought up to date when the store is closed, and whenever the journal has
  outgrown them. `nodes/`, `edges/`, `changes/` and `receipts/` hold blocks of 4,096 consecutive numbers, sorted by
  number. So a new record is a new last line, a renamed node stays where it is, a checkpoint writes only the blocks that
  changed, and old blocks never change for git. Sorted by name in one file, each of these would touch everything.
- **A checkpoint lets commits go on.** The journal's last frame turns to the next journal; the files of the state at the
  turn are written while commits are made there, and then their manifest is put in force.
- **The changes are the feed.** They stand in the journal until a checkpoint moves them to `changes/`, and stay
  readable from the first one on.
- **Every process holds the graph in memory** and follows the others' journal. `committed`, mapped into all of them,
  says how far it counts: looking there costs no system call, and it is the stamp for caches.
- **An edit by hand is a commit.** Compressed copies tell line by line what somebody changed while nothing ran; the core
  plans it like any other batch. The time of a file tells an edit from a bit that flipped.
- **What a crash leaves is told from damage.** An unacknowledged frame at the end is taken whole or cut; anything else
  that is not as it was written is refused with file and place. Where acknowledged commits are found missing, as after
  a power loss with `durability="process"` or when an older copy was put in place, the history begins a new epoch.

It is the right backend for graphs that fit into memory and are to be looked at. The lock and the shared counter need
a local POSIX file system.
"""

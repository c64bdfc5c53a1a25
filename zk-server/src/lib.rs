//! An embedded, in-memory, single-process ZooKeeper for laptops and tests; not for production.

//! An async ZooKeeper client: a sans-io session core and the tokio driver around it.

//! HiveServer2 dynamic service discovery: instance znodes, jdbc:hive2 URLs, registration and resolution.

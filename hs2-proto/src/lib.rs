//! The HiveServer2 wire protocol: Thrift binary protocol, TCLIService, SASL framing and row sets, without IO.

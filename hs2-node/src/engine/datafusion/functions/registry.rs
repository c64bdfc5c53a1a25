//! The functions that plans are made of, by the names that rewritten statements call them by.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use datafusion::common::config::ConfigOptions;
use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};

/// Functions of Spark that are Hive's too, and that DataFusion has not or has otherwise.
const SPARKS: [&str; 8] = [
    "base64",
    "bitwise_not",
    "crc32",
    "sha1",
    "sha2",
    "soundex",
    "unbase64",
    "unhex",
];

/// Every function. They are made when a statement first calls one: their code is a good part of the program, and a node
/// that was not asked yet need not have it in memory.
#[derive(Debug, Default)]
pub(crate) struct Registry(OnceLock<Functions>);

#[derive(Debug)]
struct Functions {
    scalar: HashMap<String, Arc<ScalarUDF>>,
    aggregate: HashMap<String, Arc<AggregateUDF>>,
    window: HashMap<String, Arc<WindowUDF>>,
}

impl Registry {
    pub(crate) fn scalar(&self, name: &str, options: &ConfigOptions) -> Option<Arc<ScalarUDF>> {
        let found = Arc::clone(self.functions().scalar.get(name)?);
        // Some depend on the session's settings.
        Some(match found.inner().with_updated_config(options) {
            Some(updated) => Arc::new(updated),
            None => found,
        })
    }

    pub(crate) fn aggregate(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.functions().aggregate.get(name).cloned()
    }

    pub(crate) fn window(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.functions().window.get(name).cloned()
    }

    fn functions(&self) -> &Functions {
        self.0.get_or_init(Functions::new)
    }
}

impl Functions {
    fn new() -> Self {
        let sparks = datafusion_spark::all_default_scalar_functions()
            .into_iter()
            .filter(|function| SPARKS.contains(&function.name()));
        let ours = super::udfs().into_iter().map(Arc::new);
        let collecting = datafusion_spark::all_default_aggregate_functions()
            .into_iter()
            .filter(|function| matches!(function.name(), "collect_list" | "collect_set"));
        // The later counts.
        Self {
            scalar: by_name(
                SessionStateDefaults::default_scalar_functions()
                    .into_iter()
                    .chain(sparks)
                    .chain(ours),
                |function| (function.name(), function.aliases()),
            ),
            aggregate: by_name(
                SessionStateDefaults::default_aggregate_functions()
                    .into_iter()
                    .chain(collecting),
                |function| (function.name(), function.aliases()),
            ),
            window: by_name(
                SessionStateDefaults::default_window_functions().into_iter(),
                |function| (function.name(), function.aliases()),
            ),
        }
    }
}

/// Functions under their names and aliases.
fn by_name<F>(
    functions: impl Iterator<Item = Arc<F>>,
    names: impl Fn(&F) -> (&str, &[String]),
) -> HashMap<String, Arc<F>> {
    let mut named = HashMap::new();
    for function in functions {
        let (name, aliases) = names(&function);
        for alias in aliases {
            named.insert(alias.clone(), Arc::clone(&function));
        }
        named.insert(name.to_owned(), Arc::clone(&function));
    }
    named
}

//! Functions that mean what they mean in Hive. `allow` says which a statement may call; the other modules implement
//! those whose DataFusion namesake answers differently. Our names hold a space, so that no statement can write them.

pub(crate) mod allow;
pub(crate) mod arithmetic;
pub(crate) mod cast;
pub(crate) mod collections;
pub(crate) mod common;
pub(crate) mod complex;
pub(crate) mod dates;
pub(crate) mod generate;
pub(crate) mod intervals;
pub(crate) mod json;
pub(crate) mod math;
pub(crate) mod numbers;
pub(crate) mod pattern;
pub(crate) mod range;
pub(crate) mod regexp;
pub(crate) mod registry;
pub(crate) mod strings;
pub(crate) mod text;
pub(crate) mod time_pattern;
pub(crate) mod udf;

use datafusion::logical_expr::ScalarUDF;

/// Every scalar function of ours.
pub(crate) fn udfs() -> Vec<ScalarUDF> {
    let mut udfs = vec![
        cast::HiveCast::udf(),
        common::Common::udf(),
        arithmetic::Average::udf(),
        complex::Index::udf(),
        complex::Size::udf(),
    ];
    udfs.extend(
        arithmetic::Operator::ALL
            .into_iter()
            .map(arithmetic::Arithmetic::udf),
    );
    udfs.extend(strings::udfs());
    udfs.extend(dates::udfs());
    udfs.extend(math::udfs());
    udfs.extend(numbers::udfs());
    udfs.extend(regexp::udfs());
    udfs.extend(json::udfs());
    udfs.extend(collections::udfs());
    udfs.extend(generate::udfs());
    udfs
}

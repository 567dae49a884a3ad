//! Values that StarRocks' documentation states.

use arrow::array::{Array, ArrayRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::{Column, Compiler, zone::Zone};

/// 2024-05-06 07:08:09.123456 UTC.
const NOW: i64 = 1_714_979_289_123_456;

/// The value of an expression without columns, as text.
fn value_in(zone: &str, text: &str) -> String {
    let zone = Zone::parse(zone).unwrap();
    let expression = match Compiler::new(Vec::new(), zone, NOW).compile("set.x", text) {
        Ok(expression) => expression,
        Err(error) => return error.to_string(),
    };
    let values = expression.evaluate(&[], 1).unwrap();
    assert_eq!(values.data_type(), expression.data_type(), "{text}");
    shown(&values)
}

fn shown(values: &ArrayRef) -> String {
    let values = if values.data_type() == &crate::types::DATETIME {
        crate::cast::cast_values(values, &arrow::datatypes::DataType::Utf8, Zone::UTC).unwrap()
    } else {
        values.clone()
    };
    if values.is_null(0) {
        return "NULL".to_owned();
    }
    ArrayFormatter::try_new(&values, &FormatOptions::default()).unwrap().value(0).to_string()
}

fn value(text: &str) -> String {
    value_in("UTC", text)
}

fn all(cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .map(|(text, expected)| (text, value(text), expected))
        .filter(|(_, found, expected)| found != *expected)
        .map(|(text, found, expected)| format!("{text} is {found}, not {expected}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn formats_of_dates() {
    all(&[
        ("date_format('2009-10-04 22:23:00', '%W %M %Y')", "Sunday October 2009"),
        ("date_format('2007-10-04 22:23:00', '%H:%i:%s')", "22:23:00"),
        ("date_format('1900-10-04 22:23:00', '%D %y %a %d %m %b %j')", "4th 00 Thu 04 10 Oct 277"),
        ("date_format('1997-10-04 22:23:00', '%H %k %I %r %T %S %w')", "22 22 10 10:23:00 PM 22:23:00 00 6"),
        ("date_format('1999-01-01 00:00:00', '%X %V')", "1998 52"),
        ("date_format('2006-06-01', '%d')", "01"),
        ("date_format('2006-06-01', '%%%d')", "%01"),
        ("date_format('2024-01-31', 'yyyyMMdd')", "20240131"),
        ("date_format('no date', '%d')", "NULL"),
        ("str_to_date('2014-12-21 12:34:56', '%Y-%m-%d %H:%i:%s')", "2014-12-21 12:34:56"),
        ("str_to_date('2014-12-21 12%3A34%3A56', '%Y-%m-%d %H%%3A%i%%3A%s')", "2014-12-21 12:34:56"),
        ("str_to_date('201422 Monday', '%X%V %W')", "2014-06-02 00:00:00"),
        ("str_to_date('2020-09-01', '%Y-%m-%d %H:%i:%s')", "NULL"),
        ("str_to_date('9:5:3 PM 1/2/24', '%h:%i:%s %p %c/%e/%y')", "2024-01-02 21:05:03"),
        ("str_to_date('Jan 5, 2024', '%b %e, %Y')", "2024-01-05 00:00:00"),
        ("str_to_date('2024-02-30', '%Y-%m-%d')", "NULL"),
        ("str_to_date('2024-02-29x', '%Y-%m-%d')", "NULL"),
        ("str_to_date('2024-02-29 10:11:12.5', '%Y-%m-%d %H:%i:%s.%f')", "2024-02-29 10:11:12.500000"),
        ("str2date('2010-11-30 23:59:59', '%Y-%m-%d %H:%i:%s')", "2010-11-30"),
    ]);
}

#[test]
fn formats_of_joda() {
    all(&[
        ("jodatime_format('2020-06-25 15:58:51', 'yyyy-MM-dd HH:mm:ss')", "2020-06-25 15:58:51"),
        ("jodatime_format('2020-06-25 15:58:51', 'MM dd ee EE')", "06 25 04 Thu"),
        ("jodatime_format('2020-06-25 15:58:51', 'MMM dd ee EEE')", "Jun 25 04 Thu"),
        ("jodatime_format('2020-06-25 15:58:51', 'MMMM d e EEEE')", "June 25 4 Thursday"),
        ("jodatime_format('2023-06-25 12:00:00', 'KK:mm:ss a')", "00:00:00 PM"),
        ("jodatime_format('2023-06-25 12:00:00', 'hh:mm:ss a')", "12:00:00 PM"),
        ("jodatime_format('2023-06-25 00:00:00', 'k H')", "24 0"),
        ("jodatime_format('2023-06-25 00:00:00', 'yyyyMMdd ''starrocks''')", "20230625 starrocks"),
        ("jodatime_format('2023-06-25 10:00:00.123456', 'yy.D S SSS SSSSSSSS')", "23.176 1 123 12345600"),
        ("jodatime_format('2024-12-30', \"xxxx-'W'ww o''clock\")", "NULL"),
        ("jodatime_format('2024-12-30', \"xxxx-'W'ww\")", "2025-W01"),
        ("jodatime_format('2024-12-30', 'ZZ')", "NULL"),
        ("jodatime_format('2024-12-30', \"'open\")", "NULL"),
        ("str_to_jodatime('2014-12-21 12:34:56', 'yyyy-MM-dd HH:mm:ss')", "2014-12-21 12:34:56"),
        ("str_to_jodatime('21/December/23 12:34:56', 'dd/MMMM/yy HH:mm:ss')", "2023-12-21 12:34:56"),
        (
            "str_to_jodatime('21/December/23 12:34:56.123', 'dd/MMMM/yy HH:mm:ss.SSS')",
            "2023-12-21 12:34:56.123000",
        ),
        ("str_to_jodatime('20240131T070809', \"yyyyMMdd'T'HHmmss\")", "2024-01-31 07:08:09"),
        ("str_to_jodatime('1/2/2024 9 PM', 'd/M/yyyy h a')", "2024-02-01 21:00:00"),
        ("str_to_jodatime('2024-02-30', 'yyyy-MM-dd')", "NULL"),
        ("str_to_jodatime('2024 +01:00', 'yyyy ZZ')", "NULL"),
    ]);
}

#[test]
fn slices_of_time() {
    all(&[
        ("time_slice('1691-12-23 04:01:09', INTERVAL 5 SECOND)", "1691-12-23 04:01:05"),
        ("time_slice('2169-12-18 15:44:31', interval 5 day, FLOOR)", "2169-12-16 00:00:00"),
        ("time_slice('1861-09-12 13:28:18', interval 5 day, CEIL)", "1861-09-17 00:00:00"),
        ("time_slice('1751-03-21 00:19:04', interval 1 millisecond, 'ceil')", "1751-03-21 00:19:04.001000"),
        ("time_slice('2024-05-06 07:08:09', interval 2 week)", "2024-04-29 00:00:00"),
        ("time_slice('2024-05-06 07:08:09', interval 1 quarter)", "2024-04-01 00:00:00"),
        ("time_slice('2024-05-06 07:08:09', 15, 'minute')", "2024-05-06 07:00:00"),
        ("date_slice(cast('2022-04-26' as date), interval 5 year)", "2021-01-01"),
        ("date_slice(cast('0001-01-07' as date), interval 5 day, CEIL)", "0001-01-11"),
        ("time_slice('2024-05-06', interval 0 day)", "NULL"),
        ("time_slice('2024-05-06', interval 1 day, 'middle')", "NULL"),
    ]);
}

#[test]
fn parts_of_urls() {
    let url = "http://user:pw@example.org:8080/path/p1.php?query=1&b=x#part";
    for (part, expected) in [
        ("PROTOCOL", "http"),
        ("HOST", "example.org"),
        ("PATH", "/path/p1.php"),
        ("QUERY", "query=1&b=x"),
        ("REF", "part"),
        ("AUTHORITY", "user:pw@example.org:8080"),
        ("FILE", "/path/p1.php?query=1&b=x"),
        ("USERINFO", "user:pw"),
        ("host", "NULL"),
    ] {
        assert_eq!(value(&format!("parse_url('{url}', '{part}')")), expected, "{part}");
    }
    all(&[
        ("parse_url('http://example.org/?a=1&b=2', 'QUERY', 'b')", "2"),
        ("parse_url('http://example.org/?a=1', 'QUERY', 'b')", "NULL"),
        ("parse_url('http://[::1]:80/x', 'HOST')", "[::1]"),
        ("parse_url('http://example.org', 'QUERY')", "NULL"),
        ("parse_url('no url', 'HOST')", "NULL"),
        ("parse_url(NULL, 'HOST')", "NULL"),
    ]);
}

#[test]
fn json_and_maps_are_made_of_values() {
    all(&[
        (
            "json_object('name', 'starrocks', 'active', true, 'published', 2020)",
            r#"{"active": true, "name": "starrocks", "published": 2020}"#,
        ),
        (
            "json_object('k1', 1, 'k2', json_object('k2', 2), 'k3', json_array(4, 5))",
            r#"{"k1": 1, "k2": {"k2": 2}, "k3": [4, 5]}"#,
        ),
        ("json_object('a', parse_json('[1, 2]'), 'b', '[1, 2]')", r#"{"a": [1, 2], "b": "[1, 2]"}"#),
        ("json_object('a')", r#"{"a": null}"#),
        ("json_object(NULL, 1)", "NULL"),
        ("json_object()", "{}"),
        ("json_array()", "[]"),
        ("json_array(1, true, 'a\"b', 1.5e0, NULL, 1.10)", r#"[1, true, "a\"b", 1.5, null, 1.10]"#),
        ("json_array(cast('2024-01-31' AS DATE))", r#"["2024-01-31"]"#),
        ("map{'a': 1, 'b': 2}", "{a: 1, b: 2}"),
        ("map('a', 1, 'b', 2, 'a', 3)", "{a: 3, b: 2}"),
        ("map_from_arrays(split('a,b', ','), [1, NULL])", "{a: 1, b: }"),
        ("map_from_arrays(['a'], [1, 2])", "NULL"),
        ("map{NULL: 1}", "NULL"),
        ("map{'a': 1}['a']", "1"),
        ("map_keys(map{1: 'x', 2: 'y'})", "[1, 2]"),
    ]);
    assert!(value("map('a')").contains("each key needs a value"), "{}", value("map('a')"));
    assert!(value("map()").contains("no type"), "{}", value("map()"));
}

#[test]
fn unix_times_are_in_the_zone_of_the_load() {
    let shanghai = |text| value_in("Asia/Shanghai", text);
    assert_eq!(shanghai("from_unixtime(1196440219)"), "2007-12-01 00:30:19");
    assert_eq!(shanghai("from_unixtime(1196440219, 'yyyy-MM-dd HH:mm:ss')"), "2007-12-01 00:30:19");
    assert_eq!(shanghai("from_unixtime(1196440219, '%Y-%m-%d')"), "2007-12-01");
    assert_eq!(shanghai("unix_timestamp('2007-11-30 10:30:19')"), "1196389819");
    assert_eq!(shanghai("unix_timestamp('2007-11-30 10:30-19', '%Y-%m-%d %H:%i-%s')"), "1196389819");
    assert_eq!(shanghai("unix_timestamp('2007-11-30 10:30%3A19', '%Y-%m-%d %H:%i%%3A%s')"), "1196389819");
    assert_eq!(shanghai("unix_timestamp('1969-01-01 00:00:00')"), "0");
    assert_eq!(shanghai("unix_timestamp()"), "1714979289");
    assert_eq!(shanghai("now()"), "2024-05-06 15:08:09");
    assert_eq!(shanghai("current_timestamp"), "2024-05-06 15:08:09");
    assert_eq!(shanghai("now(6)"), "2024-05-06 15:08:09.123456");
    assert_eq!(shanghai("utc_timestamp()"), "2024-05-06 07:08:09");
    assert_eq!(value_in("America/Los_Angeles", "curdate()"), "2024-05-06");
    assert_eq!(value_in("-08:00", "current_date"), "2024-05-05");
    all(&[
        ("from_unixtime(-1)", "NULL"),
        ("to_datetime(1598306400)", "2020-08-24 22:00:00"),
        ("to_datetime(1598306400123, 3)", "2020-08-24 22:00:00.123000"),
        ("convert_tz('2019-08-01 13:21:03', 'Asia/Shanghai', 'America/Los_Angeles')", "2019-07-31 22:21:03"),
        ("convert_tz('2019-08-01 13:21:03', '+08:00', 'America/Los_Angeles')", "2019-07-31 22:21:03"),
        ("convert_tz('2019-08-01 13:21:03', 'Nowhere', 'UTC')", "NULL"),
    ]);
}

#[test]
fn arithmetic_with_dates() {
    all(&[
        ("hours_add('2022-01-01 01:01:01', 2)", "2022-01-01 03:01:01"),
        ("hours_add('2022-01-01 01:01:01', -1)", "2022-01-01 00:01:01"),
        ("hours_add('2022-01-01', 1)", "2022-01-01 01:00:00"),
        ("date_add('2010-11-30 23:59:59', INTERVAL 2 DAY)", "2010-12-02 23:59:59"),
        ("date_sub('2010-11-30 23:59:59', INTERVAL 2 DAY)", "2010-11-28 23:59:59"),
        ("adddate('2010-11-30', 1)", "2010-12-01 00:00:00"),
        ("DATE '2010-11-30' + INTERVAL 3 MONTH", "2011-02-28"),
        ("DATE '2010-11-30' - INTERVAL 1 HOUR", "2010-11-29 23:00:00"),
        ("months_add('2019-08-01 13:21:03', 8)", "2020-04-01 13:21:03"),
        ("months_add('2019-08-01', 8)", "2020-04-01 00:00:00"),
        ("months_add('2020-01-31 10:20:30', 1)", "2020-02-29 10:20:30"),
        ("years_add('2010-11-30 23:50:50', 2)", "2012-11-30 23:50:50"),
        ("years_add('9999-01-01', 1)", "NULL"),
        ("days_sub('2010-11-30 23:59:59', 2)", "2010-11-28 23:59:59"),
        ("weeks_add('2022-12-20', 2)", "2023-01-03 00:00:00"),
        ("seconds_diff('2010-11-30 23:59:59', '2010-11-30 20:58:59')", "10860"),
        ("datediff('2007-12-31 23:59:59', '2007-12-30')", "1"),
        ("datediff('2010-11-30 23:59:59', '2010-12-31')", "-31"),
        ("timestampdiff(MONTH, '2003-02-01', '2003-05-01')", "3"),
        ("timestampdiff(YEAR, '2002-05-01', '2001-01-01')", "-1"),
        ("timestampdiff(MINUTE, '2003-02-01', '2003-05-01 12:05:55')", "128885"),
        ("timestampadd(MINUTE, 1, '2019-01-02')", "2019-01-02 00:01:00"),
        ("timestampadd(WEEK, 1, '2019-01-02')", "2019-01-09 00:00:00"),
        ("date_diff('month', '2005-10-18', '2005-09-18')", "1"),
        ("date_trunc('hour', '2020-11-04 11:12:13')", "2020-11-04 11:00:00"),
        ("date_trunc('week', '2020-11-04 11:12:13')", "2020-11-02 00:00:00"),
        ("date_trunc('quarter', '2020-11-04 11:12:13')", "2020-10-01 00:00:00"),
        ("last_day('2020-02-12')", "2020-02-29"),
        ("last_day('2023-05-31', 'quarter')", "2023-06-30"),
        ("makedate(2023, 32)", "2023-02-01"),
        ("makedate(2023, 366)", "NULL"),
        ("from_days(730669)", "2000-07-03"),
        ("to_days('2007-10-07')", "733321"),
    ]);
}

#[test]
fn parts_of_dates() {
    all(&[
        ("year('1987-01-01')", "1987"),
        ("quarter('2022-10-09 15:59:33')", "4"),
        ("month('1987-01-02')", "1"),
        ("day('1987-01-31')", "31"),
        ("dayofmonth('1987-01-31')", "31"),
        ("dayofyear('2007-02-03 00:00:00')", "34"),
        ("dayofweek('2019-06-25')", "3"),
        ("dayofweek_iso('2023-01-03')", "2"),
        ("weekday('2023-01-03')", "1"),
        ("weekofyear('2008-02-20 00:00:00')", "8"),
        ("week('2007-01-01', 0)", "0"),
        ("week('2007-01-01', 1)", "1"),
        ("week('2007-01-01', 2)", "53"),
        ("week('2007-01-01', 3)", "1"),
        ("week('2007-01-01', 4)", "1"),
        ("week('2007-01-01', 5)", "1"),
        ("week('2007-01-01', 6)", "1"),
        ("week('2007-01-01', 7)", "1"),
        ("yearweek('2007-01-01', 2)", "200653"),
        ("hour('2018-12-31 23:59:59')", "23"),
        ("minute('2018-12-31 23:59:59')", "59"),
        ("second('2018-12-31 23:59:59')", "59"),
        ("dayname('2007-02-03 00:00:00')", "Saturday"),
        ("monthname('2008-02-03 00:00:00')", "February"),
        ("extract(YEAR FROM '2022-09-28 10:00:00')", "2022"),
        ("to_date('2020-02-02 00:00:00')", "2020-02-02"),
        ("date('2020-02-02 13:00:00')", "2020-02-02"),
        ("to_timestamp('2020-02-02T13:00:00Z')", "2020-02-02 13:00:00"),
    ]);
}

#[test]
fn texts() {
    all(&[
        ("split_part('hello word', ' ', 1)", "hello"),
        ("split_part('hello word', ' ', 2)", "word"),
        ("split_part('hello word', ' ', -1)", "word"),
        ("split_part('hello word', 'll', 1)", "he"),
        ("split_part('2019年9月8日', '月', 1)", "2019年9"),
        ("split_part('abca', 'a', 1)", ""),
        ("split_part('a-b', '-', 3)", "NULL"),
        ("split('a,b,c', ',')", "[a, b, c]"),
        ("split('a,b,c', ',b,')", "[a, c]"),
        ("split('abc', '')", "[a, b, c]"),
        ("split('a,b,c', ',')[1]", "a"),
        ("concat('a', 'b', 'c')", "abc"),
        ("concat('a', NULL, 'c')", "NULL"),
        ("concat('a', 1, true)", "a11"),
        ("concat_ws('or', 'd', 'is')", "doris"),
        ("concat_ws(NULL, 'd', 'is')", "NULL"),
        ("concat_ws('or', 'd', NULL, 'is')", "doris"),
        ("substring('starrockscluster', 1, 9)", "starrocks"),
        ("substr('Hello World', 5, 10)", "o World"),
        ("substr('hello', -2)", "lo"),
        ("substring('hello' FROM 2 FOR 2)", "el"),
        ("substr('hello', 0)", ""),
        ("substr('äöü', 2, 1)", "ö"),
        ("left('Hello starrocks', 5)", "Hello"),
        ("strleft('Hello', 99)", "Hello"),
        ("right('Hello starrocks', 9)", "starrocks"),
        ("right('äöü', 2)", "öü"),
        ("lpad('hi', 5, 'xy')", "xyxhi"),
        ("lpad('hi', 1, 'xy')", "h"),
        ("rpad('hi', 5, 'xy')", "hixyx"),
        ("rpad('hi', 4)", "hi  "),
        ("upper('abc')", "ABC"),
        ("lcase('AbC')", "abc"),
        ("initcap('hello world-all')", "Hello World-All"),
        ("trim('   ab d   ')", "ab d"),
        ("trim('xabcdxx', 'x')", "abcd"),
        ("ltrim('   ab d')", "ab d"),
        ("rtrim('ab d   ')", "ab d"),
        ("trim(BOTH 'x' FROM 'xax')", "a"),
        ("replace('http://www.starrocks.com:9090', '9090', '')", "http://www.starrocks.com:"),
        ("translate('s1m1a1rrfcks', 'mf1', 'to')", "starrocks"),
        ("repeat('a', 3)", "aaa"),
        ("repeat('a', -1)", ""),
        ("repeat('a', 100000000)", "NULL"),
        ("reverse('hello')", "olleh"),
        ("substring_index('https://www.starrocks.io', '.', 2)", "https://www.starrocks"),
        ("substring_index('https://www.starrocks.io', '.', -2)", "starrocks.io"),
        ("substring_index('hello world', ' ', 3)", "hello world"),
        ("substring_index('hello world', ' ', 0)", "NULL"),
        ("length('北京')", "6"),
        ("char_length('北京')", "2"),
        ("ascii('234')", "50"),
        ("char(77)", "M"),
        ("instr('abc', 'b')", "2"),
        ("locate('bar', 'foobarbar')", "4"),
        ("locate('xbar', 'foobar')", "0"),
        ("locate('bar', 'foobarbar', 5)", "7"),
        ("find_in_set('b', 'a,b,c')", "2"),
        ("starts_with('hello world', 'hello')", "true"),
        ("ends_with('Hello starrocks', 'Starrocks')", "false"),
        ("strcmp('test1', 'test2')", "-1"),
        ("null_or_empty('')", "true"),
        ("'a' || 'b' || 'c'", "abc"),
    ]);
}

#[test]
fn regular_expressions() {
    all(&[
        ("regexp_extract('AbCdE', '([[:lower:]]+)C([[:lower:]]+)', 1)", "b"),
        ("regexp_extract('AbCdE', '([[:lower:]]+)C([[:lower:]]+)', 2)", "d"),
        ("regexp_extract('AbCdE', '([0-9]+)', 1)", ""),
        ("regexp_replace('a b c', ' ', '-')", "a-b-c"),
        ("regexp_replace('a b c', '(b)', '<\\\\1>')", "a <b> c"),
        ("'abc' REGEXP '^a.c$'", "true"),
        ("'abc' NOT RLIKE 'x'", "true"),
        ("regexp('abc', '(')", "NULL"),
        ("'a1b22' RLIKE '\\\\d+'", "true"),
    ]);
}

#[test]
fn json() {
    all(&[
        (r#"get_json_string('{"k1":"v1", "k2":"v2"}', '$.k1')"#, "v1"),
        (r#"get_json_string('{"k1":"v1", "my.key":["e1", "e2", "e3"]}', '$."my.key"[1]')"#, "e2"),
        (r#"get_json_string('{"k1.key":{"k2":["v1", "v2"]}}', '$."k1.key".k2[0]')"#, "v1"),
        (r#"get_json_string('[{"k1":"v1"}, {"k2":"v2"}, {"k1":"v3"}]', '$.k1')"#, r#"["v1","v3"]"#),
        (r#"get_json_object('{"a":1.10}', '$.a')"#, "1.10"),
        (r#"get_json_string('{"a":null}', '$.a')"#, "NULL"),
        (r#"get_json_int('{"k1":1, "k2":"2"}', '$.k1')"#, "1"),
        (r#"get_json_int('{"k1":"v1", "my.key":[1, 2, 3]}', '$."my.key"[1]')"#, "2"),
        (r#"get_json_int('{"k":9223372036854775807}', '$.k')"#, "9223372036854775807"),
        (r#"get_json_double('{"k1":1.3, "k2":"2"}', '$.k1')"#, "1.3"),
        (r#"get_json_double('{"k1":"v1"}', '$.k1')"#, "NULL"),
        (r#"json_query('{"a":{"b":[1, 2]}}', '$.a')"#, r#"{"b":[1, 2]}"#),
        (r#"parse_json('{"a":{"b":[1, 2]}}') -> '$.a.b[1]'"#, "2"),
        ("parse_json('{')", "NULL"),
        (r#"json_exists('{"a":1}', '$.b')"#, "false"),
        (r#"json_length('{"a":1,"b":2}')"#, "2"),
        (r#"json_length('[1,2,3]', '$')"#, "3"),
    ]);
}

#[test]
fn numbers() {
    all(&[
        ("abs(-1)", "1"),
        ("abs(-1.5)", "1.5"),
        ("ceil(3.14)", "4"),
        ("ceil(-3.14)", "-3"),
        ("floor(3.14)", "3"),
        ("floor(-3.14)", "-4"),
        ("round(3.14)", "3.00"),
        ("round(3.14, 1)", "3.10"),
        ("round(13.14, -1)", "10.00"),
        ("round(2.5e0)", "3.0"),
        ("round(-2.5e0)", "-3.0"),
        ("round(1.005e0, 2)", "1.01"),
        ("truncate(3.14e0, 1)", "3.1"),
        ("truncate(-3.19, 1)", "-3.10"),
        ("mod(10, 3)", "1"),
        ("mod(-10, 3)", "-1"),
        ("10.5 % 3", "1.5"),
        ("pmod(-9, 2)", "1"),
        ("power(2, 10)", "1024.0"),
        ("sqrt(-1)", "NULL"),
        ("sqrt(9)", "3.0"),
        ("ln(0)", "NULL"),
        ("log(2, 8)", "3.0"),
        ("sign(-3)", "-1"),
        ("conv(8, 10, 2)", "1000"),
        ("bin(3)", "11"),
        ("bitand(3, 0)", "0"),
        ("3 | 4", "7"),
        ("bit_shift_left(2, 2)", "8"),
        ("greatest(1, 10.0, 20.5)", "20.5"),
        ("least(3, 1, 2)", "1"),
        ("least(3, NULL, 2)", "NULL"),
        ("9223372036854775807 + 1", "NULL"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("7 / 2", "3.5"),
        ("1 / 0", "NULL"),
        ("1.0 / 3", "0.3333333"),
        ("7 DIV 2", "3"),
        ("7 DIV 0", "NULL"),
        ("7.9 DIV 2", "3"),
        ("0.1 + 0.2", "0.3"),
        ("1.5 * 2.25", "3.375"),
        ("'10' + 5", "15.0"),
        ("1 + 2 * 3", "7"),
        ("-(3)", "-3"),
    ]);
}

#[test]
fn digests() {
    all(&[
        ("md5('abc')", "900150983cd24fb0d6963f7d28e17f72"),
        ("sha2('abc', 224)", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"),
        ("sha2('abc', 256)", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("sha2('abc', 1)", "NULL"),
        ("hex(12)", "C"),
        ("hex(-1)", "FFFFFFFFFFFFFFFF"),
        ("hex('apple')", "6170706C65"),
        ("unhex('6170706C65')", "apple"),
        ("unhex('xx')", "NULL"),
        ("to_base64('starrocks')", "c3RhcnJvY2tz"),
        ("from_base64('c3RhcnJvY2tz')", "starrocks"),
        ("from_base64('c3')", "s"),
        ("from_base64('*')", "NULL"),
        ("to_base64('a')", "YQ=="),
        ("to_binary('00ff')", "00ff"),
        ("to_binary('00f')", "NULL"),
        ("to_binary('AP8=', 'Encode64')", "00ff"),
        ("to_binary('*', 'encode64')", "NULL"),
        ("to_binary('ä', 'utf8')", "c3a4"),
        ("to_binary('00', 'octal')", "NULL"),
        ("to_binary('00', NULL)", "NULL"),
        ("hex(to_binary('AP8=', 'encode64'))", "00FF"),
        ("crc32('starrocks')", "2312449062"),
        ("url_encode('https://a.b/c?d=e f')", "https%3A%2F%2Fa.b%2Fc%3Fd%3De%20f"),
        ("url_decode('a%20b%2Fc')", "a b/c"),
    ]);
}

#[test]
fn choices() {
    all(&[
        ("if(true, 1, 2)", "1"),
        ("if(NULL, 'a', 'b')", "b"),
        ("ifnull(NULL, 2)", "2"),
        ("nvl('a', 'b')", "a"),
        ("coalesce(NULL, NULL, 1, 2)", "1"),
        ("nullif(1, 1)", "NULL"),
        ("nullif('1', 2)", "1.000000000000000000"),
        ("CASE WHEN false THEN 1 WHEN true THEN 2 END", "2"),
        ("CASE 3 WHEN 1 THEN 'a' WHEN 3 THEN 'b' ELSE 'c' END", "b"),
        ("CASE WHEN NULL THEN 1 END", "NULL"),
        ("isnull(NULL)", "true"),
        ("[1, 2, 3][2]", "2"),
        ("array_length([1, 2, 3])", "3"),
        ("array_contains(['a', 'b'], 'b')", "true"),
        ("array_join(['a', 'b'], '-')", "a-b"),
        ("named_struct('a', 1, 'b', 'x')", "{a: 1, b: x}"),
    ]);
}

#[test]
fn identities_are_new_in_each_row() {
    let compiler = Compiler::new(vec![Column::new("a", arrow::datatypes::DataType::Int64)], Zone::UTC, NOW);
    for text in ["uuid()", "uuid_numeric()", "concat('x', uuid())"] {
        let expression = compiler.compile("set.id", text).unwrap();
        assert!(!expression.is_constant(), "{text}");
        let values = expression.evaluate(&[], 100).unwrap();
        let distinct: std::collections::HashSet<String> = (0..100)
            .map(|row| {
                ArrayFormatter::try_new(&values, &FormatOptions::default()).unwrap().value(row).to_string()
            })
            .collect();
        assert_eq!(distinct.len(), 100, "{text}");
    }
}

/// What guides of loads call in SET, WHERE, SELECT and DEFAULT.
#[test]
fn calls_of_guides_are_taken() {
    for call in [
        "uuid()",
        "uuid_numeric()",
        "now()",
        "current_timestamp()",
        "CURRENT_TIMESTAMP",
        "str_to_date(t, '%Y-%m-%d')",
        "str2date(t, '%Y-%m-%d')",
        "date_format(d, '%Y%m')",
        "from_unixtime(n)",
        "unix_timestamp(d)",
        "to_datetime(n, 3)",
        "ifnull(t, '')",
        "nvl(t, '')",
        "coalesce(t, 'x')",
        "nullif(t, '')",
        "if(n > 1, 'a', 'b')",
        "CASE WHEN n = 1 THEN 'a' ELSE t END",
        "split_part(t, ',', 1)",
        "split(t, ',')[1]",
        "substr(t, 1, 2)",
        "replace(t, 'a', 'b')",
        "regexp_extract(t, '([0-9]+)', 1)",
        "get_json_string(t, '$.a')",
        "get_json_int(t, '$.a')",
        "parse_json(t)",
        "parse_json(t) -> '$.a'",
        "json_object('a', n)",
        "json_array(n, t)",
        "map_from_arrays([t], [n])",
        "map{t: n}",
        "row(n, t)",
        "parse_url(t, 'HOST')",
        "jodatime_format(d, 'yyyy-MM-dd')",
        "time_slice(d, INTERVAL 5 MINUTE)",
        "date_trunc('day', d)",
        "date_add(d, INTERVAL 1 DAY)",
        "hours_add(d, 8)",
        "years_sub(d, 1)",
        "datediff(d, '2024-01-01')",
        "convert_tz(d, 'UTC', 'Asia/Shanghai')",
        "year(d) * 100 + month(d)",
        "cast(t AS DATETIME)",
        "md5(concat(t, n))",
        "n DIV 2",
        "n & 1",
        "t REGEXP '^a'",
        "t IN ('a', 'b') AND n BETWEEN 1 AND 2",
    ] {
        let columns = vec![
            Column::new("t", arrow::datatypes::DataType::Utf8),
            Column::new("n", arrow::datatypes::DataType::Int64),
            Column::new("d", crate::types::DATETIME),
        ];
        let compiled = Compiler::new(columns, Zone::UTC, NOW).compile("set.x", call);
        assert!(compiled.is_ok(), "{call}: {}", compiled.unwrap_err());
    }
}

#[test]
fn every_function_has_one_name_and_is_called_as_it_is_described() {
    let mut names = std::collections::HashSet::new();
    for definition in super::definitions() {
        for name in std::iter::once(&definition.name).chain(definition.aliases) {
            assert!(names.insert(*name), "{name} stands twice");
        }
        assert!(definition.syntax.starts_with(definition.name), "{}", definition.syntax);
        assert!(definition.summary.ends_with('.'), "{}", definition.name);
    }
}

/// `UPDATE_DOCS=1` writes the list into the page.
#[test]
fn the_documentation_lists_every_function() {
    const MARK: &str = "<!-- functions -->\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/expressions.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (head, _) = page.split_once(MARK).unwrap();
    let expected = format!("{head}{MARK}\n{}", super::document().trim_end()) + "\n";
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &expected).unwrap();
        return;
    }
    assert_eq!(page, expected, "the list of functions has changed; run with UPDATE_DOCS=1");
}

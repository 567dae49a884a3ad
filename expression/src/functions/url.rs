//! Parts of URLs.

use super::definition::{Definition, Kind, Returns};
use super::text::text;

pub(super) static DEFINITIONS: &[Definition] = &[text!(
    "parse_url",
    &[],
    "parse_url(url, 'PROTOCOL' | 'HOST' | 'PATH' | 'QUERY' | 'REF' | 'AUTHORITY' | 'FILE' | 'USERINFO'[, key])",
    "A part of a URL as it is written, or the value of a key in its query; NULL if it is not there.",
    &[Kind::Text, Kind::Text],
    &[Kind::Text],
    Text,
    |call| {
        let (urls, parts) = (call.text(0)?, call.text(1)?);
        let keys = call.has(2).then(|| call.text(2)).transpose()?;
        call.slices(|row| {
            let part = part(urls.get(row)?, parts.get(row)?)?;
            match &keys {
                None => Some(part),
                Some(keys) if parts.get(row)? == "QUERY" => of_key(part, keys.get(row)?),
                Some(_) => None,
            }
        })
    }
)];

fn part<'a>(url: &'a str, part: &str) -> Option<&'a str> {
    let (protocol, rest) = url.trim().split_once(':')?;
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    if protocol.is_empty() || !protocol.chars().all(is_scheme) {
        return None;
    }
    let (rest, reference) = match rest.split_once('#') {
        Some((rest, reference)) => (rest, Some(reference)),
        None => (rest, None),
    };
    let (authority, file) = match rest.strip_prefix("//") {
        Some(rest) => {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            (Some(&rest[..end]), &rest[end..])
        }
        None => (None, rest),
    };
    let (path, query) = match file.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (file, None),
    };
    let user = authority.and_then(|authority| authority.rsplit_once('@'));
    let host = || {
        let host = user.map_or(authority, |(_, host)| Some(host))?;
        // A colon within brackets is part of an address.
        let end = host.rfind(']').unwrap_or(0);
        let port = host[end..].rfind(':').map_or(host.len(), |at| end + at);
        Some(&host[..port])
    };
    match part {
        "PROTOCOL" => Some(protocol),
        "HOST" => host().filter(|host| !host.is_empty()),
        "PATH" => Some(path),
        "QUERY" => query,
        "REF" => reference,
        "AUTHORITY" => authority,
        "FILE" => Some(file),
        "USERINFO" => user.map(|(user, _)| user),
        _ => None,
    }
}

fn of_key<'a>(query: &'a str, key: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| match pair.split_once('=') {
        Some((name, value)) if name == key => Some(value),
        _ => None,
    })
}

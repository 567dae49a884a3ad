//! One page of a listing, by either version of the request.

use std::sync::atomic::Ordering;

use aws_sdk_s3::types::{CommonPrefix, EncodingType, Object};

use super::ListedObject;
use super::classify::{Failure, classify};
use super::error::SourceError;
use super::metrics::Operation;
use super::s3::S3Store;
use super::url_decode::url_decode;

/// What one request of a listing gave.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Objects, folder markers among them.
    pub(super) objects: Vec<ListedObject>,
    /// Folders below the prefix, each ending with `/`.
    pub(super) folders: Vec<String>,
    /// Where the next page begins; `None`: this was the last.
    pub(super) next: Option<Next>,
}

/// How the next page is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Next {
    /// ListObjectsV2.
    Token(String),
    /// ListObjects: after this key.
    Marker(String),
    /// The first page, by either version, of what comes after this key.
    After(String),
}

/// Which page.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageRequest<'a> {
    pub(super) bucket: &'a str,
    pub(super) prefix: &'a str,
    pub(super) from: Option<&'a Next>,
    pub(super) max_keys: Option<i32>,
}

impl S3Store {
    /// One page, of the second version of listing unless this store refuses it.
    pub(super) async fn page(&self, request: PageRequest<'_>) -> Result<Page, SourceError> {
        let subject = self.subject(Operation::List, request.bucket, request.prefix);
        let is_first = matches!(request.from, None | Some(Next::After(_)));
        let by_one = matches!(request.from, Some(Next::Marker(_)))
            || (is_first && self.lists_by_version_one.load(Ordering::Relaxed));
        if !by_one {
            let answer = self.request(&subject, |number| self.page_two(request, number)).await;
            match answer {
                Err(error) if is_first && refuses_version_two(&error) => {
                    tracing::info!(error = %error, "the store has no ListObjectsV2, ListObjects is used");
                    self.lists_by_version_one.store(true, Ordering::Relaxed);
                }
                answer => return answer,
            }
        }
        self.request(&subject, |number| self.page_one(request, number)).await
    }

    async fn page_two(&self, request: PageRequest<'_>, number: u32) -> Result<Page, Failure> {
        let (token, after) = match request.from {
            Some(Next::Token(token)) => (Some(token.clone()), None),
            Some(Next::After(after)) => (None, Some(after.clone())),
            Some(Next::Marker(_)) | None => (None, None),
        };
        let answer = self
            .client
            .list_objects_v2()
            .bucket(request.bucket)
            .prefix(request.prefix)
            .delimiter("/")
            .encoding_type(EncodingType::Url)
            .set_continuation_token(token)
            .set_start_after(after)
            .set_max_keys(request.max_keys)
            .send()
            .await;
        let subject = self.subject(Operation::List, request.bucket, request.prefix);
        let answer = answer.map_err(|error| classify(&error, &subject, number))?;
        let mut page = self.read_page(
            request,
            number,
            answer.encoding_type(),
            answer.contents(),
            answer.common_prefixes(),
        )?;
        if answer.is_truncated() == Some(true) {
            // A store that knows only the first version ignores what it does not know, and gives no token.
            page.next = match answer.next_continuation_token() {
                Some(token) => Some(Next::Token(token.to_owned())),
                None => Some(Next::Marker(page.last_name().ok_or_else(|| {
                    self.odd(
                        request,
                        number,
                        "a page is said not to be the last, but is empty and has no token",
                    )
                })?)),
            };
        }
        Ok(page)
    }

    async fn page_one(&self, request: PageRequest<'_>, number: u32) -> Result<Page, Failure> {
        let marker = match request.from {
            Some(Next::Marker(marker) | Next::After(marker)) => Some(marker.clone()),
            Some(Next::Token(_)) | None => None,
        };
        let answer = self
            .client
            .list_objects()
            .bucket(request.bucket)
            .prefix(request.prefix)
            .delimiter("/")
            .encoding_type(EncodingType::Url)
            .set_marker(marker)
            .set_max_keys(request.max_keys)
            .send()
            .await;
        let subject = self.subject(Operation::List, request.bucket, request.prefix);
        let answer = answer.map_err(|error| classify(&error, &subject, number))?;
        let encoding = answer.encoding_type();
        let mut page =
            self.read_page(request, number, encoding, answer.contents(), answer.common_prefixes())?;
        if answer.is_truncated() == Some(true) {
            let given = answer.next_marker().map(|marker| self.decode(request, number, encoding, marker));
            let last = given.transpose()?.or_else(|| page.last_name()).ok_or_else(|| {
                self.odd(request, number, "a page is said not to be the last, but is empty and has no marker")
            })?;
            page.next = Some(Next::Marker(last));
        }
        Ok(page)
    }

    fn read_page(
        &self,
        request: PageRequest<'_>,
        number: u32,
        encoding: Option<&EncodingType>,
        contents: &[Object],
        prefixes: &[CommonPrefix],
    ) -> Result<Page, Failure> {
        let mut page = Page::default();
        for object in contents {
            page.objects.push(self.listed(request, number, encoding, object)?);
        }
        for prefix in prefixes.iter().filter_map(|prefix| prefix.prefix()) {
            page.folders.push(self.decode(request, number, encoding, prefix)?);
        }
        let starts = |name: &str| name.starts_with(request.prefix);
        let stray = page.objects.iter().map(|o| &o.key).chain(&page.folders).find(|name| !starts(name));
        match stray {
            Some(name) => {
                Err(self.odd(request, number, format!("it holds {name:?}, which lacks the prefix")))
            }
            None => Ok(page),
        }
    }

    fn listed(
        &self,
        request: PageRequest<'_>,
        number: u32,
        encoding: Option<&EncodingType>,
        object: &Object,
    ) -> Result<ListedObject, Failure> {
        let odd = |what: &str| self.odd(request, number, format!("{:?} has no {what}", object.key()));
        let key = object.key().ok_or_else(|| odd("key"))?;
        let size = object.size().and_then(|size| u64::try_from(size).ok());
        let modified = object.last_modified().and_then(|time| time.to_millis().ok());
        Ok(ListedObject {
            bucket: request.bucket.to_owned(),
            key: self.decode(request, number, encoding, key)?,
            size: size.ok_or_else(|| odd("size"))?,
            etag: object.e_tag().map(bare_etag).ok_or_else(|| odd("ETag"))?.to_owned(),
            modified_ms: modified.unwrap_or_default(),
        })
    }

    fn decode(
        &self,
        request: PageRequest<'_>,
        number: u32,
        encoding: Option<&EncodingType>,
        text: &str,
    ) -> Result<String, Failure> {
        if encoding != Some(&EncodingType::Url) {
            return Ok(text.to_owned());
        }
        url_decode(text).ok_or_else(|| self.odd(request, number, format!("key {text:?} is not URL-encoded")))
    }

    fn odd(&self, request: PageRequest<'_>, number: u32, problem: impl Into<String>) -> Failure {
        let subject = self.subject(Operation::List, request.bucket, request.prefix);
        let mut failure = Failure::odd_answer(&subject, number, "");
        failure.error = SourceError::InvalidListing {
            bucket: request.bucket.to_owned(),
            prefix: request.prefix.to_owned(),
            problem: problem.into(),
        };
        failure
    }
}

impl Page {
    /// The greatest key or folder.
    pub(super) fn last_name(&self) -> Option<String> {
        self.objects.iter().map(|object| &object.key).chain(&self.folders).max().cloned()
    }

    /// The smallest key or folder.
    pub(super) fn first_name(&self) -> Option<&str> {
        self.objects.iter().map(|object| &object.key).chain(&self.folders).min().map(String::as_str)
    }
}

/// An ETag as a plan holds it: without quotes.
pub(super) fn bare_etag(etag: &str) -> &str {
    etag.trim_matches('"')
}

fn refuses_version_two(error: &SourceError) -> bool {
    match error {
        SourceError::StoreError { answer, .. } => {
            matches!(answer.code.as_deref(), Some("NotImplemented" | "InvalidArgument" | "MethodNotAllowed"))
                || matches!(answer.status, Some(405 | 501))
        }
        _ => false,
    }
}

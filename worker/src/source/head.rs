//! One object by its exact key.

use super::ListedObject;
use super::classify::classify;
use super::error::SourceError;
use super::list_page::bare_etag;
use super::metrics::Operation;
use super::s3::S3Store;

impl S3Store {
    /// The object as it is now; `ObjectNotFound` if there is none.
    pub(super) async fn head(&self, bucket: &str, key: &str) -> Result<ListedObject, SourceError> {
        let subject = self.subject(Operation::Head, bucket, key);
        let head = self.request(&subject, |number| {
            let subject = &subject;
            async move {
                let answer = self.client.head_object().bucket(bucket).key(key).send().await;
                answer.map_err(|error| classify(&error, subject, number))
            }
        });
        let head = head.await?;
        let size = head.content_length().and_then(|size| u64::try_from(size).ok());
        let (Some(size), Some(etag)) = (size, head.e_tag()) else {
            return Err(SourceError::InvalidListing {
                bucket: bucket.to_owned(),
                prefix: key.to_owned(),
                problem: "its HEAD has no size or no ETag".to_owned(),
            });
        };
        Ok(ListedObject {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            size,
            etag: bare_etag(etag).to_owned(),
            modified_ms: head.last_modified().and_then(|time| time.to_millis().ok()).unwrap_or_default(),
        })
    }
}

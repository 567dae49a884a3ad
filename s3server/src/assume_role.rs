//! A small STS: AssumeRole, by which tests reach buckets through a role.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::{Extensions, HeaderMap, HeaderValue, Method, Uri, header};
use s3s::dto::{Timestamp, TimestampFormat};
use s3s::route::S3Route;
use s3s::{Body, S3Error, S3Request, S3Response, S3Result, s3_error};

use crate::credentials::{Identities, TemporaryCredentials};
use crate::operation::percent_decode;

/// Bytes that a request's form may have.
const MAX_FORM: usize = 8192;
/// Lifetime of credentials in seconds when the request names none.
const DEFAULT_LIFETIME: u64 = 3600;

/// Answers `POST /` with `Action=AssumeRole`.
pub(crate) struct AssumeRole(pub Arc<Identities>);

#[async_trait::async_trait]
impl S3Route for AssumeRole {
    fn is_match(
        &self,
        method: &Method,
        uri: &Uri,
        _headers: &HeaderMap,
        _extensions: &mut Extensions,
    ) -> bool {
        method == Method::POST && uri.path() == "/"
    }

    async fn call(&self, mut request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let form =
            request.input.store_all_limited(MAX_FORM).await.map_err(|error| invalid(&error.to_string()))?;
        let form = read_form(&String::from_utf8_lossy(&form));
        let issued = self.assume(&form)?;
        let body = answer(&issued, form.get("RoleArn").map_or("", String::as_str))?;
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        Ok(S3Response::with_headers(Body::from(body), headers))
    }
}

impl AssumeRole {
    fn assume(&self, form: &HashMap<String, String>) -> S3Result<TemporaryCredentials> {
        if form.get("Action").map(String::as_str) != Some("AssumeRole") {
            return Err(invalid("only AssumeRole is answered here"));
        }
        let arn = form.get("RoleArn").ok_or_else(|| invalid("RoleArn is missing"))?;
        let role = self.0.role(arn).ok_or_else(|| denied(arn))?;
        if role.external_id.is_some() && role.external_id.as_ref() != form.get("ExternalId") {
            return Err(denied(arn));
        }
        let asked = match form.get("DurationSeconds").map(|seconds| seconds.parse::<u64>()) {
            None => DEFAULT_LIFETIME,
            Some(Ok(seconds)) if (900..=43_200).contains(&seconds) => seconds,
            Some(_) => return Err(invalid("DurationSeconds must lie between 900 and 43200")),
        };
        self.0.issue(role.lifetime.unwrap_or(Duration::from_secs(asked)))
    }
}

fn denied(arn: &str) -> S3Error {
    s3_error!(AccessDenied, "User is not authorized to perform: sts:AssumeRole on resource: {arn}")
}

fn invalid(message: &str) -> S3Error {
    s3_error!(InvalidRequest, "{message}")
}

fn read_form(form: &str) -> HashMap<String, String> {
    let decode = |text: &str| percent_decode(&text.replace('+', " "));
    form.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

fn answer(issued: &TemporaryCredentials, arn: &str) -> S3Result<String> {
    let mut expiration = Vec::new();
    Timestamp::from(issued.expires)
        .format(TimestampFormat::DateTime, &mut expiration)
        .map_err(S3Error::internal_error)?;
    let expiration = String::from_utf8_lossy(&expiration);
    let TemporaryCredentials { access_key, secret_key, session_token, .. } = issued;
    let arn = escape(arn);
    Ok(format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
         <AssumedRoleUser><AssumedRoleId>AROA:session</AssumedRoleId><Arn>{arn}</Arn></AssumedRoleUser>\
         <Credentials><AccessKeyId>{access_key}</AccessKeyId><SecretAccessKey>{secret_key}</SecretAccessKey>\
         <SessionToken>{session_token}</SessionToken><Expiration>{expiration}</Expiration></Credentials>\
         </AssumeRoleResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AssumeRoleResponse>"
    ))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// An S3 error body in the form that STS clients read.
pub(crate) fn as_sts_error(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let error = text.find("<Error>").map_or("<Error></Error>", |at| &text[at..]);
    format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">{error}\
         <RequestId>1</RequestId></ErrorResponse>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_decoded() {
        let form = read_form("Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam&ExternalId=a+b&empty=");
        assert_eq!(form["RoleArn"], "arn:aws:iam");
        assert_eq!(form["ExternalId"], "a b");
        assert_eq!(form["empty"], "");
    }
}

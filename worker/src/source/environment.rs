//! What the environment says about S3 where a source says nothing, as the SDKs read it.

use longshore_crds::source::S3;

/// Names of the endpoint, the first that is set wins.
const ENDPOINT_VARIABLES: [&str; 2] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
/// Set to `true`, the environment's endpoints are left alone.
const IGNORE_VARIABLE: &str = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS";

/// The settings with the endpoint of the environment, unless they name one.
pub(super) fn with_endpoint(s3: &S3, variable: impl Fn(&str) -> Option<String>) -> S3 {
    let mut s3 = s3.clone();
    let ignored = variable(IGNORE_VARIABLE).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if s3.endpoint.is_none() && !ignored {
        s3.endpoint =
            ENDPOINT_VARIABLES.into_iter().filter_map(variable).find(|endpoint| !endpoint.is_empty());
    }
    s3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(own: Option<&str>, environment: &[(&str, &str)]) -> Option<String> {
        let s3 = S3 { endpoint: own.map(str::to_owned), ..S3::default() };
        let variable = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        with_endpoint(&s3, variable).endpoint
    }

    #[test]
    fn the_source_wins_over_the_environment() {
        let all = [("AWS_ENDPOINT_URL", "http://all"), ("AWS_ENDPOINT_URL_S3", "http://s3")];
        assert_eq!(endpoint(Some("http://own"), &all).as_deref(), Some("http://own"));
        assert_eq!(endpoint(None, &all).as_deref(), Some("http://s3"));
        assert_eq!(endpoint(None, &all[..1]).as_deref(), Some("http://all"));
        assert_eq!(endpoint(None, &[("AWS_ENDPOINT_URL", "")]), None);
        assert_eq!(endpoint(None, &[]), None);
        let ignored = [all[0], (IGNORE_VARIABLE, "true")];
        assert_eq!(endpoint(None, &ignored), None);
    }
}

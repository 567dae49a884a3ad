//! What the pods of the workers look like here: their image, and what the administrator set for them.

use anyhow::bail;
use k8s_openapi::api::core::v1::PodSpec;
use serde_json::Value;

use super::client::Kubectl;

/// The variable by which the operator knows the image of its workers.
const IMAGE_VARIABLE: &str = "LONGSHORE_WORKER_IMAGE";

/// What a pod takes over from the workers.
#[derive(Debug, Default)]
pub struct Workload {
    /// The image.
    pub image: String,
    /// A worker's pod of the same table, if there is one.
    pub like: Option<PodSpec>,
}

impl Workload {
    /// By the workers of the table, else by the operator, else by `image`.
    ///
    /// # Errors
    /// Nobody tells the image.
    pub fn find(kubectl: &Kubectl, table: &str, image: Option<&str>) -> anyhow::Result<Self> {
        let selector = format!("app.kubernetes.io/name=longshore-worker,longshore.dev/table={table}");
        let workers: Vec<Value> = kubectl.list(&["deployments.apps,jobs.batch", "-l", &selector])?;
        let like = newest(&workers);
        if let Some(image) = image.map(str::to_owned).or_else(|| worker_image(like.as_ref()?)) {
            return Ok(Self { image, like });
        }
        // A person of one namespace may not see the operator's.
        let all = ["deployments.apps", "--all-namespaces", "-l", "app.kubernetes.io/component=operator"];
        let operators: Vec<Value> = kubectl.list(&all).unwrap_or_default();
        match operators.iter().find_map(told_image) {
            Some(image) => Ok(Self { image, like }),
            None => bail!(
                "no worker of table {table} and no operator tells the image of the workers; name it with --image"
            ),
        }
    }
}

/// The pod of the workload that was made last.
fn newest(workers: &[Value]) -> Option<PodSpec> {
    let made = |worker: &&Value| worker["metadata"]["creationTimestamp"].as_str().map(str::to_owned);
    let newest = workers.iter().max_by_key(made)?;
    serde_json::from_value(newest["spec"]["template"]["spec"].clone()).ok()
}

fn worker_image(pod: &PodSpec) -> Option<String> {
    pod.containers.iter().find(|container| container.name == "worker")?.image.clone()
}

fn told_image(operator: &Value) -> Option<String> {
    let containers = operator["spec"]["template"]["spec"]["containers"].as_array()?;
    let mut variables = containers.iter().filter_map(|container| container["env"].as_array()).flatten();
    let told = variables.find(|variable| variable["name"] == IMAGE_VARIABLE)?;
    told["value"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_image_is_that_of_the_newest_worker_or_the_operators() {
        let worker = |made: &str, image: &str| {
            json!({"metadata": {"creationTimestamp": made},
                   "spec": {"template": {"spec": {"containers": [{"name": "worker", "image": image}]}}}})
        };
        let workers = [worker("2024-01-02T00:00:00Z", "new"), worker("2024-01-01T00:00:00Z", "old")];
        assert_eq!(worker_image(&newest(&workers).unwrap()).as_deref(), Some("new"));
        assert!(newest(&[]).is_none());
        let operator = json!({"spec": {"template": {"spec": {"containers": [{"env": [
            {"name": "LONGSHORE_NAMESPACE", "valueFrom": {}}, {"name": IMAGE_VARIABLE, "value": "longshore:1"},
        ]}]}}}});
        assert_eq!(told_image(&operator).as_deref(), Some("longshore:1"));
    }
}

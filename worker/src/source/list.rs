//! Which objects match a pattern: folder by folder, so that nothing is listed that cannot match, several
//! folders at a time, page by page in the order of keys.

use std::collections::{HashSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::ListedObject;
use super::error::SourceError;
use super::glob::{Glob, Position};
use super::list_page::{Next, Page, PageRequest};
use super::path::PathPattern;
use super::s3::S3Store;

/// Folders listed at once below a folder, by its depth in the walk: wide at the top, so that the pages that
/// wait for their turn stay few.
const FOLDERS_AT_ONCE: [usize; 2] = [16, 4];

type Pages = mpsc::Sender<Vec<ListedObject>>;

/// Gives the objects that match and whose keys come after `after`, page by page in the order of keys, each once,
/// as long as `on_page` goes on.
pub(super) async fn list(
    store: &Arc<S3Store>,
    pattern: &PathPattern,
    after: Option<&str>,
    on_page: &mut super::OnPage<'_>,
) -> Result<(), SourceError> {
    let walk = Arc::new(Walk {
        store: store.clone(),
        bucket: pattern.bucket().to_owned(),
        glob: pattern.glob().clone(),
    });
    let prefix = walk.glob.literal_prefix();
    let Some(part) = Part::of(prefix, after) else { return Ok(()) };
    if !walk.glob.has_wildcards() {
        if let Some(object) = walk.single_key().await?.filter(|object| part.has(&object.key)) {
            let (ControlFlow::Continue(()) | ControlFlow::Break(())) = on_page(&[object]);
        }
        return Ok(());
    }
    let root =
        Folder { prefix: prefix.to_owned(), position: walk.glob.after_prefix().clone(), depth: 0, part };
    let mut listing = walk.start(root);
    let mut last: Option<String> = None;
    while let Some(page) = store.or_cancelled(listing.pages.recv()).await? {
        if let (Some(last), Some(first)) = (&last, page.first())
            && first.key <= *last
        {
            return Err(walk.invalid(
                walk.glob.literal_prefix(),
                format!("{:?} comes after {last:?}, out of order", first.key),
            ));
        }
        last = page.last().map(|object| object.key.clone()).or(last);
        if on_page(&page).is_break() {
            // What is being listed ends with it.
            return Ok(());
        }
    }
    listing.end().await
}

struct Walk {
    store: Arc<S3Store>,
    bucket: String,
    glob: Glob,
}

/// A place of the walk: what to list, and where the pattern stands after it.
struct Folder {
    prefix: String,
    position: Position,
    depth: usize,
    part: Part,
}

/// What of a folder is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Whole,
    /// What comes after a key, which begins with the folder's prefix.
    After(String),
}

impl Part {
    /// The part of a folder that comes after a key of the whole listing; `None`: nothing of it does.
    fn of(prefix: &str, after: Option<&str>) -> Option<Self> {
        match after {
            None => Some(Self::Whole),
            Some(after) if after.starts_with(prefix) => Some(Self::After(after.to_owned())),
            Some(after) => (after < prefix).then_some(Self::Whole),
        }
    }

    fn key(&self) -> Option<&str> {
        match self {
            Self::Whole => None,
            Self::After(key) => Some(key),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.key().is_none_or(|key| name > key)
    }

    /// The name in the folder from which its own listing goes on: that of the folder below that holds the key,
    /// which may hold more, or the key itself.
    fn begins_after(&self, prefix: &str) -> Option<String> {
        let key = self.key()?;
        let below = key[prefix.len()..].find('/').map(|slash| &key[..prefix.len() + slash + 1]);
        Some(below.unwrap_or(key).to_owned())
    }
}

/// A folder that is being listed.
struct Listing {
    pages: mpsc::Receiver<Vec<ListedObject>>,
    task: AbortOnDropHandle<Result<(), SourceError>>,
}

impl Listing {
    async fn forward(mut self, out: &Pages) -> Result<(), SourceError> {
        while let Some(page) = self.pages.recv().await {
            send(out, page).await?;
        }
        self.end().await
    }

    async fn end(self) -> Result<(), SourceError> {
        self.task.await.unwrap_or(Err(SourceError::Cancelled))
    }
}

/// What a folder holds, in the order of names.
enum Entry {
    Object(ListedObject),
    Folder(String),
}

impl Entry {
    fn name(&self) -> &str {
        match self {
            Self::Object(object) => &object.key,
            Self::Folder(name) => name,
        }
    }
}

impl Walk {
    fn start(self: &Arc<Self>, folder: Folder) -> Listing {
        let (sender, pages) = mpsc::channel(1);
        let task = self.store.runtime.spawn(self.clone().folder(folder, sender));
        Listing { pages, task: AbortOnDropHandle::new(task) }
    }

    /// Starts to list the folder `name` below another, or what of it can match; `None`: nothing can.
    fn below(self: &Arc<Self>, folder: &Folder, name: &str) -> Option<Listing> {
        let position = self.glob.advance(&folder.position, &name[folder.prefix.len()..]);
        if position.is_dead() {
            return None;
        }
        // What every match goes on with needs no listing of its own.
        let (run, position) = self.glob.literal_run(&position);
        let prefix = name.to_owned() + &run;
        let part = Part::of(&prefix, folder.part.key())?;
        Some(self.start(Folder { prefix, position, depth: folder.depth + 1, part }))
    }

    /// Lists one folder and those below it that can hold a match.
    fn folder(self: Arc<Self>, folder: Folder, out: Pages) -> BoxFuture<'static, Result<(), SourceError>> {
        async move {
            let at_once = FOLDERS_AT_ONCE.get(folder.depth).copied().unwrap_or(1);
            let mut below: VecDeque<Listing> = VecDeque::new();
            let begins_after = folder.part.begins_after(&folder.prefix);
            // A key may be the name of the folder itself.
            let is_below = |name: &&String| name.ends_with('/') && **name != folder.prefix;
            if let Some(name) = begins_after.as_ref().filter(is_below) {
                below.extend(self.below(&folder, name));
            }
            let mut pages = PageWalk::new(&self, &folder.prefix, begins_after.clone());
            while let Some(page) = pages.next().await? {
                let mut found = Vec::new();
                for entry in entries(page) {
                    // A store may tell the folder again in which the key lies, or know of no key to begin after.
                    if begins_after.as_deref().is_some_and(|begin| entry.name() <= begin) {
                        continue;
                    }
                    match entry {
                        Entry::Object(object) => {
                            let position =
                                self.glob.advance(&folder.position, &object.key[folder.prefix.len()..]);
                            if self.glob.accepts(&position) && !is_marker(&object) {
                                drain(&mut below, 0, &out).await?;
                                found.push(object);
                            }
                        }
                        Entry::Folder(name) => {
                            let Some(listing) = self.below(&folder, &name) else { continue };
                            flush(&mut found, &out).await?;
                            drain(&mut below, at_once - 1, &out).await?;
                            below.push_back(listing);
                        }
                    }
                }
                flush(&mut found, &out).await?;
            }
            drain(&mut below, 0, &out).await
        }
        .boxed()
    }

    /// The object with exactly this key. A listing says all that a plan needs; where listing is not
    /// allowed, reading may be.
    async fn single_key(&self) -> Result<Option<ListedObject>, SourceError> {
        let key = self.glob.literal_prefix();
        let request = PageRequest { bucket: &self.bucket, prefix: key, from: None, max_keys: Some(1) };
        match self.store.page(request).await {
            Ok(page) => Ok(page.objects.into_iter().find(|object| object.key == key && !is_marker(object))),
            Err(denied @ SourceError::AccessDenied { .. }) => {
                match self.store.head(&self.bucket, key).await {
                    Ok(object) => Ok(Some(object)),
                    Err(_) => Err(denied),
                }
            }
            Err(error) => Err(error),
        }
    }

    fn invalid(&self, prefix: &str, problem: String) -> SourceError {
        SourceError::InvalidListing { bucket: self.bucket.clone(), prefix: prefix.to_owned(), problem }
    }
}

/// The pages of one prefix, with a guard against stores that turn in circles.
struct PageWalk<'a> {
    walk: &'a Walk,
    prefix: &'a str,
    next: Option<Next>,
    begun: bool,
    seen: HashSet<Next>,
    last_name: Option<String>,
}

impl<'a> PageWalk<'a> {
    fn new(walk: &'a Walk, prefix: &'a str, after: Option<String>) -> Self {
        let next = after.map(Next::After);
        Self { walk, prefix, next, begun: false, seen: HashSet::new(), last_name: None }
    }

    async fn next(&mut self) -> Result<Option<Page>, SourceError> {
        if self.begun && self.next.is_none() {
            return Ok(None);
        }
        let request = PageRequest {
            bucket: &self.walk.bucket,
            prefix: self.prefix,
            from: self.next.as_ref(),
            max_keys: None,
        };
        let page = self.walk.store.page(request).await?;
        self.begun = true;
        self.check_order(&page)?;
        self.next = page.next.clone();
        if let Some(next) = &self.next
            && !self.seen.insert(next.clone())
        {
            return Err(self.walk.invalid(self.prefix, format!("page {next:?} was announced twice")));
        }
        Ok(Some(page))
    }

    fn check_order(&mut self, page: &Page) -> Result<(), SourceError> {
        if let (Some(last), Some(first)) = (&self.last_name, page.first_name())
            && first <= last.as_str()
        {
            let problem = format!("a page begins with {first:?}, but the one before it ended with {last:?}");
            return Err(self.walk.invalid(self.prefix, problem));
        }
        self.last_name = page.last_name().or(self.last_name.take());
        Ok(())
    }
}

fn entries(page: Page) -> Vec<Entry> {
    let objects = page.objects.into_iter().map(Entry::Object);
    let mut entries: Vec<Entry> = objects.chain(page.folders.into_iter().map(Entry::Folder)).collect();
    entries.sort_by(|a, b| a.name().cmp(b.name()));
    entries.dedup_by(|a, b| a.name() == b.name());
    entries
}

/// Zero bytes under a key that ends with `/`: what consoles make for an empty folder.
fn is_marker(object: &ListedObject) -> bool {
    object.key.ends_with('/') && object.size == 0
}

/// Passes on what the first folders gave, until at most `left` are still being listed.
async fn drain(below: &mut VecDeque<Listing>, left: usize, out: &Pages) -> Result<(), SourceError> {
    while below.len() > left
        && let Some(first) = below.pop_front()
    {
        first.forward(out).await?;
    }
    Ok(())
}

async fn flush(found: &mut Vec<ListedObject>, out: &Pages) -> Result<(), SourceError> {
    if found.is_empty() { Ok(()) } else { send(out, std::mem::take(found)).await }
}

async fn send(out: &Pages, page: Vec<ListedObject>) -> Result<(), SourceError> {
    // The receiver is gone only when the listing was given up.
    out.send(page).await.map_err(|_| SourceError::Cancelled)
}

//! What `examples/` shows of the library does what it says.

use std::fs;

use super::env::Env;

#[path = "../../examples/current.rs"]
mod current;
#[path = "../../examples/deploy.rs"]
mod deploy;
#[path = "../../examples/pack_and_verify.rs"]
mod pack_and_verify;

#[test]
fn versions_are_deployed_and_described() {
    let env = Env::with_model();
    env.publish("1.0.0");
    let file = env.path("project/.deploy-tool.yaml");
    let run = || deploy::run(&file, Some(&env.path("home")), &["model@^1.0".to_owned()]).expect("deployed");
    assert_eq!(run(), "model@1.0.0: 3 files\nrelease 1 is current\n");
    assert!(run().ends_with("nothing had to change\n"));
    assert_eq!(env.link("components/model/current"), "1.0.0");
    assert_eq!(current::describe(&env.path("root")).expect("read"), "release 1\nmodel@1.0.0: 2 entries\n");
    assert!(deploy::run(&file, None, &["model@2".to_owned()]).is_err());
}

#[test]
fn a_tree_is_packed_and_comes_back() {
    let env = Env::with_model();
    env.write("project/models/scratch.tmp", "left out");
    let (tree, package, into) = (env.path("project/models"), env.path("model.tar.zst"), env.path("unpacked"));
    let digest = pack_and_verify::there_and_back(&tree, &package, &into).expect("packed");
    assert_eq!(digest.len(), 64);
    assert_eq!(fs::read_to_string(into.join("tokenizer/vocab.txt")).expect("there"), "a\nb\nc\n");
    assert!(!into.join("scratch.tmp").exists());
    assert!(pack_and_verify::there_and_back(&tree, &package, &into).is_err(), "nothing is unpacked over what is there");
}

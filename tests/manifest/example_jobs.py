"""The job language's two examples as its page writes them, and the data files that the full one names."""

from __future__ import annotations

SMALLEST = """\
prompts:
  - a red fox, snow, golden light
  - an owl at dusk
sweep:
  ratios: [1:1, 16:9]
  seeds: 1..4
"""

FULL = """\
# yaml-language-server: $schema=../batchgen.schema.json
version: 1
name: nightly-animals             # default: the file's stem
seed_root: 42                     # every derived seed comes from it; default 0

provider:                         # or just `provider: sandbox`
  kind: gateway                   # the default; needs its key, or `--provider sandbox`
  url: ${GATEWAY_URL:-https://gateway.serevixai.ai/v1/images/generations}
  api_key_env: GATEWAY_API_KEY    # a variable's name, never a key
  rate_limit: 150/10s             # or a list of windows, or `unknown` (learn it), or `none`
  concurrency: auto               # or a number, a hard bound
  timeout: 180s
  models: {sd3-medium: {like: sd3-large}}      # adds to the capability table
  prices: {sd3-medium: {credits: 3.5}, date: 2025-08}
limits: {max_images: 5000, max_cost: 120.00}  # for the folder's life, in US$; flags are for one run; what may have been billed counts
retry: {attempts: 6, within: 15m, ambiguous: retry, paid: 1}   # within: not counting waits for a limit or an outage;
                                  # ambiguous: retry | skip; paid: more tries after an answer that was billed and could not be kept

defaults: {model: sd3-large-turbo, output_format: png}
presets:
  film: {model: sd-core, style_preset: analog-film}
vars:
  animal: [fox, owl]              # a list is an axis of the prompts that name it
  season: {file: seasons.txt}

sweep:                            # applies to every prompt
  model: [sd3-large, sd3-large-turbo]
  aspect_ratio: [16:9, 1:1]
  seed: {random: 8}               # eight derived, stable, non-zero seeds
  exclude: [{model: sd3-large, aspect_ratio: 1:1}]
  include: [{model: sd-core, style_preset: anime, seed: 123}]

prompts:
  - a {{animal}} in {{season}}
  - id: portrait
    prompt: portrait of a {{animal}}
    negative_prompt: blurry, text
    preset: film                  # pins model, so the model axis collapses here
    sweep: {seed: [7, 8]}         # replaces the job's axis of that name for this prompt
  - id: restyle
    prompt: the same scene as a watercolour
    model: sd3-large
    zip:                          # a list of groups; a group is one axis; its lists are equally long
      - image: [inputs/a.png, inputs/b.png]
        negative_prompt: [people, cars]
    sweep: {strength: 0.2..0.8:0.2}    # inclusive: 0.2 0.4 0.6 0.8
  - file: prompts.csv             # txt, csv, tsv, json, jsonl: columns are parameters or variables
tasks:                            # literal tasks beside the sweeps
  - {prompt: a lighthouse, model: sd-core, seed: 5}

output: {path: "{prompt_id}/{model}/{aspect_ratio}/{seed}-{id:12}.{ext}"}
schedule: {cron: "30 2 * * *", timezone: Europe/Berlin, catch_up: once, overlap: skip}
"""  # noqa: E501 - as the page writes it

FILES = {
    "seasons.txt": "winter\nspring\n",
    "prompts.csv": 'id,prompt,model,place,seed\nr1,"a cat, in {{place}}",,Rome,\nr2,a dog,sd-core,,7\n',
}

/** Client languages by their number in the binary header; the JSON header carries the names. RocketMQ: LanguageCode. */
export const languageNames: readonly string[] = [
  'JAVA',
  'CPP',
  'DOTNET',
  'PYTHON',
  'DELPHI',
  'ERLANG',
  'RUBY',
  'OTHER',
  'HTTP',
  'GO',
  'PHP',
  'OMS',
  'RUST',
  'NODE_JS',
];

/** RocketMQ 5.5.0 in its list of versions, which every request and answer carries. */
export const versionCode = 513;

/** The first version whose clients understand GO_AWAY is the one after 5.3.1. */
export const goAwayAfterVersion = 475;

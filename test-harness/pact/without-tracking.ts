/** Imported before Pact: its native parts report their use to Google Analytics unless this is set. */
process.env['PACT_DO_NOT_TRACK'] = 'true';

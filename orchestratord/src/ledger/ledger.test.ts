import { describeLedger } from './ledger-suite.ts';
import { openMemoryForTest, openSqliteForTest } from './temporary-ledger.ts';

describeLedger('SQLite ledger', openSqliteForTest);
describeLedger('memory ledger', openMemoryForTest);

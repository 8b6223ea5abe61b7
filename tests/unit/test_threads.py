"""The next request goes to the thread that worked last."""

import threading

from secure_auth.threads import LastIn


def test_who_came_last_is_woken_first() -> None:
    lock = threading.Lock()
    condition, woken, is_waiting = LastIn(lock), list[int](), threading.Semaphore(0)

    def rest(number: int) -> None:
        with lock:
            is_waiting.release()
            condition.wait()
            woken.append(number)
        is_waiting.release()

    threads = [threading.Thread(target=rest, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
        is_waiting.acquire()
    for _ in range(2):
        with lock:
            condition.notify()
        is_waiting.acquire()
    assert woken == [2, 1]
    with lock:
        condition.notify_all()
        condition.notify()  # nobody is left
    for thread in threads:
        thread.join(5)
    assert woken == [2, 1, 0]

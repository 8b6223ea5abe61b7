"""What a Django project that runs this service beside its own apps puts in front of its own views.

`middleware` demands a token of every view, `decorators` demand more of one view or nothing, `rest` does the like for
Django REST framework. All of them judge as the API does, answer its problem documents and write its events.
"""
